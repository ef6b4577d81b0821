"""`ottla produce` and `ottla consume`: what goes in comes out, in every form."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ottla.base.errors import UserError
from ottla.cli.records.input_files import is_typed, sources
from tests.support.command_line import CommandLine


@pytest.fixture
def topic(shared_line: CommandLine, request: pytest.FixtureRequest) -> str:
    """One of this test alone."""
    return shared_line.broker.create_topic(partitions=1)


def consumed(line: CommandLine, topic: str, *options: str) -> str:
    return line.run("consume", topic, "--until-end", *options).stdout


def places(line: CommandLine, topic: str, *options: str) -> list[int]:
    """Offsets of what is printed."""
    return [int(n) for n in consumed(line, topic, "-f", "{offset}", *options).split()]


def test_arguments_and_lines_are_values_and_come_out_again(
    shared_line: CommandLine, topic: str
) -> None:
    told = shared_line.run("produce", topic, "first", "second", "-v").stdout
    assert told == f"{topic}-0@0…1\n"
    shared_line.run("produce", topic, stdin="third\n\nlast without an end")
    assert consumed(shared_line, topic) == "first\nsecond\nthird\n\nlast without an end\n"


def test_keys_are_cut_from_lines_and_nulls_named(shared_line: CommandLine, topic: str) -> None:
    lines = "a=1\nb=x=y\nc=NULL\nNULL=4\n"
    shared_line.run("produce", topic, "-K", "=", "-Z", "NULL", stdin=lines)
    assert consumed(shared_line, topic, "-k", "--separator", " | ", "--null", "∅") == (
        "a | 1\nb | x=y\nc | ∅\n∅ | 4\n"
    )


def test_a_line_without_its_separator_is_named_and_nothing_of_its_piece_is_sent(
    shared_line: CommandLine, topic: str
) -> None:
    result = shared_line.run("produce", topic, "-K", ":", stdin="a:1\nno key\n", code=1)
    assert result.stderr == "ottla: line 2 has no ':' behind its key\n"
    assert consumed(shared_line, topic) == ""


def test_bytes_of_every_form_go_in_and_out(shared_line: CommandLine, topic: str) -> None:
    shared_line.run("produce", topic, "-f", "hex", "00ff", "-k", "7", "--key-as", "long")
    shared_line.run("produce", topic, "-f", "base64", "AP8=")
    shared_line.run("produce", topic, "-f", "int", "--", "-5")
    out = consumed(shared_line, topic, "-f", "{key:long} {value:hex} {value:base64} {value:int}")
    assert out == "7 00ff AP8= 0x00ff\nnull 00ff AP8= 0x00ff\nnull fffffffb ////+w== -5\n"
    assert consumed(shared_line, topic, "-f", "hex", "-s", "-1") == "fffffffb\n"


def test_a_whole_file_is_one_value_and_comes_out_byte_by_byte(
    shared_line: CommandLine, topic: str, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 10
    (tmp_path / "picture").write_bytes(content)
    shared_line.run("produce", topic, "-f", "raw", "--file", str(tmp_path / "picture"))
    result = shared_line.run("consume", topic, "-e", "-f", "raw")
    assert result.stdout_bytes == content


def test_json_carries_everything_to_another_topic(shared_line: CommandLine, topic: str) -> None:
    shared_line.run(
        "produce", topic, "-H", "a=1", "-H", "a=2", "-k", "k", "--timestamp", "@1700000000", "v"
    )
    shared_line.run("produce", topic, "-f", "hex", "ff00")
    shared_line.run("produce", topic, "-Z", "-", "-")
    copied = consumed(shared_line, topic, "-f", "json")
    other = shared_line.broker.create_topic(partitions=1)
    shared_line.run("produce", other, "-f", "json", stdin=copied)
    assert consumed(shared_line, other, "-f", "json").replace(other, topic) == copied
    first, second, third = map(json.loads, copied.splitlines())
    assert first == {
        "topic": topic,
        "partition": 0,
        "offset": 0,
        "timestamp": 1_700_000_000_000,
        "key": "k",
        "value": "v",
        "headers": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}],
    }
    assert (second["value_base64"], third["value"]) == ("/wA=", None)


def test_json_values_may_be_objects_and_partitions_kept(shared_line: CommandLine) -> None:
    topic = shared_line.broker.create_topic(partitions=3)
    lines = '{"value":{"n":1},"partition":2}\n{"value":"x","partition":1,"headers":{"h":"1"}}\n'
    shared_line.run("produce", topic, "-f", "json", "--keep-partitions", stdin=lines)
    out = consumed(shared_line, topic, "-f", "{partition} {value} {header.h}")
    assert sorted(out.splitlines()) == ["1 x 1", '2 {"n":1} null']
    parsed = consumed(shared_line, topic, "-p", "2", "-f", "json", "--value-as", "json")
    assert json.loads(parsed)["value"] == {"n": 1}


def test_places_are_named_from_both_ends_by_offset_and_by_time(
    shared_line: CommandLine, topic: str
) -> None:
    for day in range(1, 10):
        shared_line.run("produce", topic, "--timestamp", f"2026-01-0{day}", str(day))
    assert places(shared_line, topic) == list(range(9))
    assert places(shared_line, topic, "-s", "-2") == [7, 8]
    assert places(shared_line, topic, "-s", "+7") == [7, 8]
    assert places(shared_line, topic, "-s", "6") == [6, 7, 8]
    assert places(shared_line, topic, "-s", "end") == []
    assert places(shared_line, topic, "-s", "2026-01-08") == [7, 8]
    assert places(shared_line, topic, "-s", "1ms") == []
    out = shared_line.run(
        "consume", topic, "-s", "2026-01-03", "--until", "2026-01-05T12:00", "-f", "{offset}"
    )
    assert out.stdout.split() == ["2", "3", "4"]
    assert shared_line.run("consume", topic, "--until", "2").stdout.split() == ["1", "2"]


def test_records_are_chosen_by_expressions_and_counted(
    shared_line: CommandLine, topic: str
) -> None:
    shared_line.run("produce", topic, "-K", ":", "c-1:apple", "c-2:pear", "d-1:apple", "x:c-1")
    assert places(shared_line, topic, "--grep-key", "^c") == [0, 1]
    assert places(shared_line, topic, "--grep-value", "apple$") == [0, 2]
    assert places(shared_line, topic, "--grep", "c-1") == [0, 3]
    assert places(shared_line, topic, "--grep", "c-1", "--invert") == [1, 2]
    assert places(shared_line, topic, "--grep-key", "^c", "--grep-value", "pear") == [1]
    assert shared_line.run("consume", topic, "-n", "2", "--grep", "apple").stdout == (
        "apple\napple\n"
    )


def test_an_end_is_that_of_each_partition_and_reading_stops_by_itself(
    shared_line: CommandLine,
) -> None:
    topic = shared_line.broker.create_topic(partitions=3)
    for partition in ("0", "2"):
        shared_line.run("produce", topic, "-p", partition, partition)
    out = consumed(shared_line, topic, "-P", "--separator", " ")
    assert sorted(out.splitlines()) == [f"{topic}-0@0 0", f"{topic}-2@0 2"]
    assert shared_line.run("consume", topic, "--idle", "1ms", "-s", "end").stdout == ""


def test_several_topics_by_name_and_by_expression(shared_line: CommandLine) -> None:
    stem = shared_line.broker.create_topic()
    for suffix in (".a", ".b", ".c"):
        shared_line.broker.create_topic(stem + suffix)
        shared_line.run("produce", stem + suffix, suffix)
    out = shared_line.run("consume", f"{stem}.a", "--pattern", f"{stem}.[bx]", "-e").stdout
    assert sorted(out.split()) == [".a", ".b"]
    assert "no topic matches" in shared_line.refusal("consume", "--pattern", "nothing")


def test_a_group_prints_each_record_once_and_keeps_exactly_what_was_printed(
    shared_line: CommandLine, topic: str
) -> None:
    shared_line.run("produce", topic, *"abcde")
    group = f"group-of-{topic}"
    assert shared_line.run("consume", topic, "-g", group, "-n", "2").stdout == "a\nb\n"
    assert consumed(shared_line, topic, "-g", group, "--no-commit") == "c\nd\ne\n"
    assert consumed(shared_line, topic, "-g", group) == "c\nd\ne\n"
    assert consumed(shared_line, topic, "-g", group, "--group-protocol", "consumer") == ""


def test_a_transaction_is_seen_whole_and_its_marks_do_not_hold_up_the_end(
    shared_line: CommandLine, topic: str
) -> None:
    shared_line.run("produce", topic, "--transactional-id", topic, "a", "b")
    lines = "c:1\nno key\n"
    shared_line.run("produce", topic, "--transactional-id", topic, "-K", ":", stdin=lines, code=1)
    out = consumed(shared_line, topic, "--isolation-level", "read_committed")
    assert out == "a\nb\n"
    assert consumed(shared_line, topic) == "a\nb\n"


def test_the_rate_is_told_beside_the_records(shared_line: CommandLine, topic: str) -> None:
    told = shared_line.run("produce", topic, "abc", "--rate")
    assert told.stderr.startswith("1 record, 3 B in ")
    assert shared_line.run("consume", topic, "-e", "--rate").stderr.startswith("1 record, 4 B in ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["consume"], "name a topic"),
        (["consume", "t", "-e", "--until", "5"], "exclude"),
        (["consume", "t", "-s", "someday"], "beginning, end, an offset"),
        (["consume", "t", "--grep", "("], "no regular expression"),
        (["consume", "t", "-g", "g", "-s", "5"], "ottla group reset"),
        (["consume", "t:0", "-g", "g"], "shares all partitions"),
        (["consume", "t", "-p", "x"], "takes numbers"),
        (["produce", "t", "v", "--file", "f"], "not both"),
        (["produce", "t", "-f", "json", "-K", ":", "v"], "leave out"),
        (["produce", "t", "-H", "none", "v"], "NAME=VALUE"),
        (["produce", "t", "--timestamp", "someday", "v"], "is no time"),
        (["produce", "t", "--transactional-id", "x", "--acks", "1", "v"], "--acks all"),
    ],
)
def test_wrong_usage_is_told_with_what_would_be_right(
    shared_line: CommandLine, arguments: list[str], words: str
) -> None:
    told = shared_line.run(*arguments, code=2).stderr
    assert words in " ".join(told.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["consume", "no-such-topic", "-e"], "no-such-topic"),
        (["consume", "no-such-topic", "-g", "g"], "no-such-topic"),
        (["consume", "{topic}", "-p", "3", "-e"], "has no partition 3"),
        (["consume", "{topic}:0,3-5", "-e"], "has no partition 3, 4, 5, only 0"),
        (["consume", "{topic}", "-e", "-f", "{nothing}"], "a template has the fields"),
        (["consume", "{topic}", "-e", "-f", "{value:odd}"], "a form is one of"),
        (["produce", "{topic}", "-f", "hex", "xyz"], "line 1: 'xyz' is not hex"),
        (["produce", "{topic}", "-f", "json", "[1"], "line 1: no record as JSON"),
        (["produce", "{topic}", "--file", "/nowhere/at/all"], "cannot read"),
        (["produce", "{topic}", "-p", "7", "v"], "has no partition 7, only 0"),
        (["produce", "no/topic", "v"], "INVALID_TOPIC_EXCEPTION"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    shared_line: CommandLine, topic: str, arguments: list[str], words: str
) -> None:
    assert words in shared_line.refusal(*(each.replace("{topic}", topic) for each in arguments))


def test_a_partition_of_an_object_that_is_not_there_is_told_with_what_is_stored_before_it(
    shared_line: CommandLine, topic: str
) -> None:
    lines = '{"value":"1","partition":0}\n{"value":"2","partition":9}\n'
    arguments = ["produce", topic, "-f", "json", "--keep-partitions", "-v"]
    result = shared_line.run(*arguments, stdin=lines, code=1)
    assert result.stdout == f"{topic}-0@0\n"
    assert result.stderr == (
        f"1 record before the error: stored.\nottla: {topic} has no partition 9, only 0\n"
    )


def test_a_topic_that_is_made_by_its_first_record_is_told_of(shared_line: CommandLine) -> None:
    result = shared_line.run("produce", "made-by-a-record", "v", "-v")
    assert result.stdout == "made-by-a-record-0@0\n"
    assert result.stderr == ("There is no topic made-by-a-record yet: brokers are asked for it.\n")


def test_an_input_that_was_closed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", None)
        assert not is_typed(())
        with pytest.raises(UserError, match="standard input is closed"):
            next(sources(()))
