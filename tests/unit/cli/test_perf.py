"""`ottla perf`: what was asked for is sent and read, and the numbers add up."""

from __future__ import annotations

import pytest

from ottla.base.limits import MIB
from tests.support.command_line import CommandLine


def test_producing_sends_what_was_asked_for_and_leaves_no_topic(line: CommandLine) -> None:
    (row,) = line.rows("perf", "produce", "-n", "2500", "--size", "10")
    assert (row["records"], row["bytes"], row["failed"]) == (2500, 25_000, 0)
    assert row["records_per_s"] == pytest.approx(2500 / row["seconds"], rel=0.02)
    assert row["mib_per_s"] == pytest.approx(25_000 / row["seconds"] / MIB, rel=0.1, abs=0.001)
    assert 0 < row["latency_p50_ms"] <= row["latency_p999_ms"] <= row["latency_max_ms"]
    assert line.rows("topic", "list") == []


def test_a_rate_is_held_and_a_duration_ends_it(line: CommandLine) -> None:
    (row,) = line.rows("perf", "produce", "--rate", "1000", "-d", "300ms", "--size", "1")
    assert 200 <= row["records"] <= 400
    assert "latency" in str(row)


def test_what_was_produced_is_consumed(line: CommandLine) -> None:
    topic = line.broker.create_topic(partitions=2)
    told = line.run("perf", "produce", topic, "-n", "3000", "--keys", "-z", "lz4").stdout
    assert told.split("\n")[1].split()[0] == "3000"
    (row,) = line.rows("perf", "consume", topic)
    assert row["records"] == 3000
    assert row["fetches"] >= 1
    assert line.rows("perf", "consume", topic, "-n", "1")[0]["records"] >= 1
    assert "no records" in line.refusal("perf", "consume", line.broker.create_topic())


def test_latency_is_that_of_each_record_until_it_is_stored_and_read(line: CommandLine) -> None:
    stored, read = line.rows("perf", "latency", "-n", "20", "--pause", "1ms")
    assert (stored["what"], read["what"]) == ("stored", "read")
    assert stored["records"] == read["records"] == 20
    assert 0 < read["p50_ms"] <= read["max_ms"]
    assert line.rows("topic", "list") == []


def test_a_topic_that_is_not_there_is_not_made(line: CommandLine) -> None:
    for verb in ("produce", "consume", "latency"):
        assert "no-such-topic" in line.refusal("perf", verb, "no-such-topic", "-n", "1")


def test_a_partition_that_is_not_there_is_not_waited_for(line: CommandLine) -> None:
    topic = line.broker.create_topic(partitions=1)
    told = line.refusal("perf", "latency", topic, "-p", "3", "-n", "1")
    assert f"{topic} has no partition 3" in told


def test_the_mark_of_a_transaction_is_not_waited_for(line: CommandLine) -> None:
    topic = line.broker.create_topic(partitions=1)
    line.run("produce", topic, "--transactional-id", "load", "a", "b")
    (row,) = line.rows("perf", "consume", topic)
    assert row["records"] == 2
    assert row["seconds"] < 3


def test_records_that_were_not_stored_are_counted_and_an_exit_code(line: CommandLine) -> None:
    topic = line.broker.create_topic(partitions=1)
    line.run("config", "set", "topic", topic, "max.message.bytes=100")
    (row,) = line.rows("perf", "produce", topic, "-n", "2", "--size", "1000", code=1)
    assert (row["records"], row["failed"]) == (0, 2)
    told = line.refusal("perf", "produce", topic, "-n", "2", "--size", "1000")
    assert told.startswith("ottla: 2 records were not stored: ")
    assert "MESSAGE_TOO_LARGE" in told


def test_a_record_that_is_refused_is_not_waited_for(line: CommandLine) -> None:
    topic = line.broker.create_topic(partitions=1)
    line.run("config", "set", "topic", topic, "cleanup.policy=compact")
    told = line.refusal("perf", "latency", topic, "-n", "2")
    assert told.startswith("ottla: INVALID_RECORD: ")


def test_progress_is_told_beside_the_result(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ottla.cli.perf.progress.PERIOD_S", 0.0)
    result = line.run("perf", "produce", "-n", "2000", "--progress")
    assert "MiB/s  mean " in result.stderr
    assert "mean " in result.stdout
    assert "MiB/s  mean " not in result.stdout
