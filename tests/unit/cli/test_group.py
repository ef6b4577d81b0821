"""`ottla group`: how far groups are, who is in them, where they are moved, why they rebalanced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.blocking import Consumer
from ottla.cli.groups import resets
from ottla.client.admin.outcomes import Outcomes
from ottla.client.errors import RefusedError
from tests.support.command_line import CommandLine


@pytest.fixture
def topic(shared_line: CommandLine) -> str:
    """With ten records, of one day of January each."""
    topic = shared_line.broker.create_topic(partitions=1)
    lines = "".join(f'{{"value":"v{day}","timestamp":{day_ms(day)}}}\n' for day in range(1, 11))
    shared_line.run("produce", topic, "-f", "json", stdin=lines)
    return topic


def day_ms(day: int) -> int:
    """Noon in UTC, so that it is that day in most zones."""
    return 1_767_268_800_000 + (day - 1) * 86_400_000


@pytest.fixture
def group(shared_line: CommandLine, topic: str) -> str:
    """One that has read three of them and left."""
    shared_line.run("consume", topic, "-g", f"g-{topic}", "-n", "3")
    return f"g-{topic}"


@contextmanager
def member(line: CommandLine, topic: str, group: str, **settings: object) -> Iterator[Consumer]:
    """Somebody who is in the group, and reads."""
    with Consumer(
        line.broker.bootstrap,
        connector=line.broker.connector,
        group_id=group,
        client_id="worker",
        **settings,
    ) as consumer:
        consumer.subscribe([topic])
        for _ in range(600):
            consumer.poll_batch(0.05)
            if consumer.assignment:
                break
        else:
            pytest.fail("the group has not formed within 30 s")
        yield consumer


def test_groups_are_listed_by_type_and_state(line: CommandLine) -> None:
    topic = line.broker.create_topic()
    line.run("produce", topic, "a")
    line.run("consume", topic, "-g", "old", "-e")
    line.run("consume", topic, "-g", "new", "-e", "--group-protocol", "consumer")
    rows = line.rows("group", "list")
    assert [(row["group"], row["type"], row["state"]) for row in rows] == [
        ("new", "consumer", "Empty"),
        ("old", "classic", "Empty"),
    ]
    assert [row["group"] for row in line.rows("group", "list", "--type", "classic")] == ["old"]
    assert line.rows("group", "list", "--state", "stable") == []
    assert "old" in line.run("group", "state").stdout


def test_lag_is_told_in_records_and_in_time(
    shared_line: CommandLine, topic: str, group: str
) -> None:
    (row,) = shared_line.rows("group", "describe", group)
    assert (row["committed"], row["end"], row["lag"]) == (3, 10, 7)
    shared_line.run("produce", topic, "now")
    fourth_day_age_ms = row["lag_ms"]
    shared_line.run("group", "reset", group, "--to-offset", "10", "--all-topics", "--execute")
    (later,) = shared_line.rows("group", "describe", group)
    assert later["lag"] == 1
    assert later["lag_ms"] < 60_000 < fourth_day_age_ms
    shared_line.run("consume", topic, "-g", group, "-e")
    (done,) = shared_line.rows("group", "describe", group)
    assert (done["lag"], done["lag_ms"]) == (0, 0)
    assert shared_line.rows("group", "describe", group, "--no-time")[0]["lag_ms"] is None
    head, _, row_text, *_ = shared_line.run("group", "describe", group).stdout.splitlines()
    assert head.startswith(f"{group}: Empty, classic, 0 members, coordinator 1 ")
    assert row_text.split()[:5] == [topic, "0", "11", "11", "0"]


def test_several_groups_of_a_topic_each_have_their_time(
    shared_line: CommandLine, topic: str, group: str
) -> None:
    other = f"other-{group}"
    shared_line.run("group", "reset", other, "--to-offset", "9", "--topic", topic, "--execute")
    first, second = shared_line.rows("group", "describe", group, other)
    assert (first["lag"], second["lag"]) == (7, 1)
    assert first["lag_ms"] - second["lag_ms"] == pytest.approx(6 * 86_400_000, abs=60_000)


def test_a_lag_that_is_too_much_is_an_exit_code(
    shared_line: CommandLine, topic: str, group: str
) -> None:
    shared_line.run("group", "describe", group, "--max-lag", "7")
    shared_line.run("group", "describe", group, "--max-lag", "6", code=3)


def test_lag_of_an_open_transaction_counts_only_where_it_can_be_read(
    shared_line: CommandLine, topic: str, group: str
) -> None:
    from ottla.blocking import Producer

    with Producer(
        shared_line.broker.bootstrap,
        connector=shared_line.broker.connector,
        transactional_id=topic,
    ) as producer:
        producer.begin_transaction()
        producer.send(topic, b"undecided").result()
        (row,) = shared_line.rows("group", "describe", group)
        assert row["lag"] == 8
        committed = ("--isolation-level", "read_committed")
        (row,) = shared_line.rows("group", "describe", group, *committed)
        assert row["lag"] == 7
        producer.abort_transaction()


def test_members_tell_who_reads_what(shared_line: CommandLine, topic: str, group: str) -> None:
    with member(shared_line, topic, group, group_instance_id="worker-1"):
        (row,) = shared_line.rows("group", "members", group)
        assert (row["client_id"], row["instance_id"]) == ("worker", "worker-1")
        assert (row["subscribed"], row["assignment"]) == ([topic], {topic: [0]})
        (row,) = shared_line.rows("group", "describe", group)
        assert (row["state"], row["client_id"]) == ("Stable", "worker")
        assert f"{topic}=0" in shared_line.run("group", "members", group).stdout


@pytest.mark.parametrize(
    ("options", "offset"),
    [
        (["--to-earliest"], 0),
        (["--to-latest"], 10),
        (["--to-current"], 3),
        (["--to-offset", "5"], 5),
        (["--to-offset", "500"], 10),
        (["--shift-by", "-2"], 1),
        (["--shift-by", "4"], 7),
        (["--to-datetime", "2026-01-05T00:00Z"], 4),
        (["--by-duration", "1h"], 10),
    ],
)
def test_every_way_of_resetting_is_shown_first_and_done_on_demand(
    shared_line: CommandLine, topic: str, group: str, options: list[str], offset: int
) -> None:
    (row,) = shared_line.rows("group", "reset", group, *options, "--all-topics")
    assert (row["before"], row["offset"], row["executed"]) == (3, offset, False)
    assert shared_line.rows("group", "describe", group)[0]["committed"] == 3
    told = shared_line.run("group", "reset", group, *options, "--topic", topic, "--execute").stdout
    assert f"moved {int(offset != 3)} of 1 partition\n" in told
    assert shared_line.rows("group", "describe", group)[0]["committed"] == offset


def test_offsets_go_out_as_a_file_and_come_back(
    shared_line: CommandLine, topic: str, group: str, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.csv"
    export = ("--to-current", "--all-topics", "--export")
    saved.write_text(shared_line.run("group", "reset", group, *export).stdout)
    assert saved.read_text() == f"{topic},0,3\n"
    other = f"copy-{group}"
    shared_line.run("group", "reset", other, "--from-file", str(saved), "--execute")
    assert shared_line.rows("group", "describe", other)[0]["committed"] == 3
    saved.write_text(f'"{other}","{topic}",0,4\n"else",x,0,1\n')
    shared_line.run("group", "reset", other, "--from-file", str(saved), "--execute")
    assert shared_line.rows("group", "describe", other)[0]["committed"] == 4
    saved.write_text("nonsense\n")
    told = shared_line.refusal("group", "reset", other, "--from-file", str(saved))
    assert "line 1 is not topic,partition,offset" in told


def test_a_partition_that_is_not_there_is_told_before_a_plan_is_made(
    shared_line: CommandLine, topic: str, group: str, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.csv"
    saved.write_text(f"{topic},0,1\n{topic},9,1\n")
    for where in (["--to-earliest", "--topic", f"{topic}:0,9"], ["--from-file", str(saved)]):
        told = shared_line.run("group", "reset", group, *where, code=1)
        assert f"{topic} has no partition 9, only 0" in told.stderr
        assert told.stdout == ""


def test_a_group_that_nobody_knows_is_not_moved_nowhere(shared_line: CommandLine) -> None:
    told = shared_line.refusal("group", "reset", "mistyped", "--to-earliest", "--all-topics")
    assert "mistyped has committed nothing" in told


def test_only_what_the_coordinator_took_is_told_as_moved(
    shared_line: CommandLine, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {TopicPartition(topic, 0): RefusedError(ErrorCode.UNKNOWN_MEMBER_ID, "somebody came")}

    async def carry_out(*_: object) -> Outcomes[TopicPartition, None]:
        return Outcomes({}, refused)

    monkeypatch.setattr(resets, "carry_out", carry_out)
    arguments = ["group", "reset", group, "--to-earliest", "--all-topics", "--execute"]
    result = shared_line.run(*arguments, code=1)
    assert "moved 0 of 1 partition\n" in result.stdout
    assert "somebody came" in result.stderr
    assert shared_line.rows(*arguments, code=1)[0]["executed"] is False


def test_a_group_with_members_is_neither_reset_nor_deleted(
    shared_line: CommandLine, topic: str, group: str
) -> None:
    with member(shared_line, topic, group):
        told = shared_line.refusal("group", "reset", group, "--to-earliest", "--all-topics")
        assert "has 1 member (worker)" in told
        assert "NON_EMPTY_GROUP" in shared_line.refusal("group", "delete", group)
        told = shared_line.refusal("group", "delete-offsets", group, topic)
        assert "GROUP_SUBSCRIBED_TO_TOPIC" in told


def test_offsets_and_groups_are_deleted(shared_line: CommandLine, topic: str, group: str) -> None:
    assert "committed nothing" in shared_line.refusal("group", "delete-offsets", group, "other")
    told = shared_line.run("group", "delete-offsets", group, f"{topic}:0").stdout
    assert told == f"forgot {topic}-0\n"
    other = f"second-{group}"
    shared_line.run("group", "reset", other, "--to-latest", "--topic", topic, "--execute")
    assert shared_line.run("group", "delete", other, "--yes").stdout == f"deleted {other}\n"
    assert "GROUP_ID_NOT_FOUND" in shared_line.refusal("group", "describe", other)


def test_the_journal_tells_who_caused_each_rebalance(
    shared_line: CommandLine, topic: str, group: str
) -> None:
    with member(shared_line, topic, group, group_instance_id="worker-1"):
        reason = ("--reason", "it is its turn")
        removing = ("group", "remove-members", group, "--instance")
        assert shared_line.refusal(*removing, "nosuch").startswith("ottla: nosuch: ")
        assert shared_line.run(*removing, "worker-1", *reason).stdout == "removed worker-1\n"
    rows = shared_line.rows("group", "journal", group)
    causes = [cause for row in rows for cause in row["causes"]]
    assert [cause["trigger"] for cause in causes[:2]] == ["joined", "left"]
    assert (causes[2]["trigger"], causes[2]["group_instance_id"]) == ("joined", "worker-1")
    assert causes[3]["detail"].endswith("it is its turn")
    assert [row["to_generation"] for row in rows] == sorted(row["to_generation"] for row in rows)
    assert "worker-1 left (" in shared_line.run("group", "journal", group).stdout


def test_groups_of_the_new_protocol_have_a_journal_too(
    shared_line: CommandLine, topic: str
) -> None:
    group = f"new-{topic}"
    with member(shared_line, topic, group, group_protocol="consumer"):
        pass
    rows = shared_line.rows("group", "journal", group)
    triggers = [cause["trigger"] for row in rows for cause in row["causes"]]
    assert triggers == ["joined", "left"]
    assert [(row["from_generation"], row["members"]) for row in rows] == [(0, 1), (1, 0)]


def test_a_journal_of_nobody_is_refused(shared_line: CommandLine) -> None:
    assert "GROUP_ID_NOT_FOUND" in shared_line.refusal("group", "journal", "no-such-group")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reset", "g", "--all-topics"], "say where to once"),
        (["reset", "g", "--to-latest", "--shift-by", "1", "--all-topics"], "say where to once"),
        (["reset", "g", "--to-latest"], "--all-topics"),
        (["reset", "g", "--to-latest", "--all-topics", "--dry-run", "--execute"], "exclude"),
        (["reset", "g", "--from-file", "-", "--topic", "t"], "leave out --topic"),
        (["remove-members", "g"], "or else --all"),
    ],
)
def test_wrong_usage_is_told_with_what_would_be_right(
    shared_line: CommandLine, arguments: list[str], words: str
) -> None:
    told = shared_line.run("group", *arguments, code=2).stderr
    assert words in " ".join(told.split())
