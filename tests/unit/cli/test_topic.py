"""`ottla topic`: what happens to topics, and what people and programs are told."""

from __future__ import annotations

import asyncio

import pytest
import yaml

from ottla.base.errors import UserError
from ottla.client.producer import Producer
from tests.support.command_line import CommandLine


def write(line: CommandLine, topic: str, *times_ms: int) -> None:
    """One record to partition 0 at each of these times."""

    async def main() -> None:
        broker = line.broker
        async with Producer(broker.bootstrap, connector=broker.connector) as producer:
            for time_ms in times_ms:
                await producer.send_and_wait(topic, b"v", partition=0, timestamp_ms=time_ms)

    asyncio.run(main())


def test_topics_are_made_listed_and_deleted(line: CommandLine) -> None:
    made = line.run("topic", "create", "orders", "prices", "-p", "3")
    assert made.stdout == "created orders\ncreated prices\n"
    rows = line.rows("topic", "list")
    assert [(row["name"], row["partitions"]) for row in rows] == [("orders", 3), ("prices", 3)]
    assert line.run("topic", "delete", "orders").stdout == "deleted orders\n"
    table = line.run("topic", "list").stdout.splitlines()
    assert [row.split() for row in table] == [
        ["topic", "partitions", "replicas"],
        ["prices", "3", "1"],
    ]
    assert yaml.safe_load(line.run("topic", "list", "-o", "yaml").stdout)[0]["name"] == "prices"


def test_a_list_can_be_narrowed_by_patterns(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "narrow-a", "narrow-b", "narrower")
    rows = shared_line.rows("topic", "list", "narrow-?", "narrower")
    assert [row["name"] for row in rows] == ["narrow-a", "narrow-b", "narrower"]
    assert shared_line.rows("topic", "list", "narrow") == []


def test_what_is_there_or_missing_is_refused_unless_that_is_fine(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "twice")
    assert "twice" in shared_line.refusal("topic", "create", "twice")
    shared_line.run("topic", "create", "twice", "--if-not-exists")
    (row,) = shared_line.rows("topic", "create", "twice", code=1)
    assert row["error"] == "TOPIC_ALREADY_EXISTS"
    assert "missing" in shared_line.refusal("topic", "delete", "missing")
    shared_line.run("topic", "delete", "missing", "--if-exists")
    rows = shared_line.rows("topic", "delete", "twice", "missing", code=1)
    assert [(row["name"], row["error"]) for row in rows] == [
        ("twice", "NONE"),
        ("missing", "UNKNOWN_TOPIC_OR_PARTITION"),
    ]


def test_a_topic_is_made_as_it_was_asked_for(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "placed", "--replicas", "1", "--replicas", "1")
    shared_line.run(
        "topic", "create", "tuned", "-c", "retention.ms=5000", "-c", "segment.ms=1=1", code=1
    )
    (made,) = shared_line.rows("topic", "create", "tuned", "-c", "retention.ms=5000")
    assert (made["partitions"], made["replication_factor"]) == (1, 1)
    placed, tuned = shared_line.rows("topic", "describe", "placed", "tuned")
    assert [partition["replicas"] for partition in placed["partitions"]] == [[1], [1]]
    assert tuned["configs"] == {"retention.ms": "5000"}
    shared_line.run("topic", "create", "only-asked", "--validate-only")
    assert shared_line.rows("topic", "list", "only-asked") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "x", "-c", "retention.ms"],
        ["create", "x", "--replicas", "one"],
        ["create", "x", "--replicas", "1", "-p", "2"],
        ["alter", "x"],
        ["offsets", "x:first"],
        ["offsets", ":1"],
        ["offsets", "--at", "1d", "--newest"],
        ["delete-records", "x"],
        ["delete-records", "x", "--before-offset", "1", "--before-time", "1d"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(shared_line: CommandLine, arguments: list[str]) -> None:
    assert "Error:" in shared_line.run("topic", *arguments, code=2).stderr


def test_a_description_tells_partitions_and_own_settings(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "described", "-p", "2", "-c", "segment.ms=90000")
    head, titles, first, *_ = shared_line.run("topic", "describe", "described").stdout.splitlines()
    assert head.startswith("described  id ")
    assert head.endswith("  segment.ms=90000")
    assert titles.split()[:2] == ["partition", "leader"]
    assert first.split() == ["0", "1", "0", "1", "1", "-"]
    found, missing = shared_line.rows("topic", "describe", "described", "nosuch", code=1)
    assert found["error"] == "NONE"
    assert missing["error"] == "UNKNOWN_TOPIC_OR_PARTITION"


def test_partitions_with_a_problem_are_found_among_all(line: CommandLine) -> None:
    line.run("topic", "create", "fine", "-c", "min.insync.replicas=1")
    line.run("topic", "create", "short")
    assert len(line.rows("topic", "describe")) == 2
    assert line.rows("topic", "describe", "--only", "under-replicated") == []
    assert line.rows("topic", "describe", "--only", "without-leader") == []
    assert line.rows("topic", "describe", "--only", "under-min-isr") == []
    at_least = line.rows("topic", "describe", "--only", "at-min-isr")
    assert [topic["name"] for topic in at_least] == ["fine", "short"]


def test_a_topic_grows_and_changes_its_settings(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "grows", "-c", "segment.ms=90000")
    arguments = ("alter", "grows", "-p", "3", "-c", "retention.ms=1000", "--unset", "segment.ms")
    assert shared_line.run("topic", *arguments, "--validate-only").stdout == "could alter grows\n"
    assert len(shared_line.rows("topic", "describe", "grows")[0]["partitions"]) == 1
    assert shared_line.run("topic", *arguments).stdout == "altered grows\n"
    (found,) = shared_line.rows("topic", "describe", "grows")
    assert len(found["partitions"]) == 3
    assert found["configs"] == {"retention.ms": "1000"}
    assert "grows" in shared_line.refusal("topic", "alter", "grows", "-p", "2")
    assert "retention.ms" in shared_line.refusal("topic", "alter", "grows", "-c", "retention.ms=x")
    mistyped = ("topic", "alter", "grows", "-c", "retention.ms=2000", "--unset", "retention.mss")
    assert "no topic setting called 'retention.mss'" in shared_line.refusal(*mistyped)
    assert shared_line.rows("topic", "describe", "grows")[0]["configs"] == {"retention.ms": "1000"}


def test_offsets_are_told_by_ends_and_by_time(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "written", "-p", "2")
    write(shared_line, "written", 1_000, 3_000, 2_000)
    rows = shared_line.rows("topic", "offsets", "written")
    assert [(row["partition"], row["first"], row["end"]) for row in rows] == [(0, 0, 3), (1, 0, 0)]
    (row,) = shared_line.rows("topic", "offsets", "written:0", "--at", "1970-01-01T00:00:01.5Z")
    assert (row["offset"], row["timestamp_at_ms"]) == (1, 3_000)
    (newest,) = shared_line.rows("topic", "offsets", "written:0", "--newest")
    assert (newest["offset"], newest["timestamp_at_ms"]) == (1, 3_000)
    (nothing,) = shared_line.rows("topic", "offsets", "written:1", "--at", "1d")
    assert nothing["offset"] is None


def test_a_topic_or_partition_that_is_not_there_is_refused(shared_line: CommandLine) -> None:
    assert "nosuch" in shared_line.refusal("topic", "offsets", "nosuch")


def test_old_records_are_deleted_by_offset_and_by_time(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "aging")
    write(shared_line, "aging", 1_000, 2_000, 3_000)
    told = shared_line.run("topic", "delete-records", "aging:0", "--before-offset", "1")
    assert told.stdout == "deleted the old records of aging-0\n"
    assert shared_line.rows("topic", "offsets", "aging")[0]["first"] == 1
    (row,) = shared_line.rows(
        "topic", "delete-records", "aging", "--before-time", "1970-01-01T00:00:03Z"
    )
    assert (row["first"], row["error"]) == (2, "NONE")
    refused = shared_line.rows("topic", "delete-records", "aging", "--before-offset", "9", code=1)
    assert refused[0]["error"] == "OFFSET_OUT_OF_RANGE"
    (all_gone,) = shared_line.rows("topic", "delete-records", "aging", "--before-time", "0s")
    assert all_gone["first"] == 3


def test_a_topic_is_emptied_and_stays(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "emptied")
    write(shared_line, "emptied", 1_000, 2_000)
    assert shared_line.run("topic", "empty", "emptied").stdout == "emptied emptied-0\n"
    (row,) = shared_line.rows("topic", "offsets", "emptied")
    assert (row["first"], row["end"]) == (2, 2)


def test_a_cluster_that_is_not_there_is_one_line() -> None:
    from click.testing import CliRunner

    from ottla.cli.main import root

    result = CliRunner().invoke(root(), ["topic", "list", "-b", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert result.stderr.startswith("ottla: ")
    assert not isinstance(result.exception, UserError)
