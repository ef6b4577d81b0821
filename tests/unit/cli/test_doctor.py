"""`ottla doctor` from the outside: a healthy cluster, a stuck group, exit codes."""

from __future__ import annotations

import time

from ottla.blocking import Consumer
from tests.support.command_line import CommandLine

QUICK = ("--sample", "10ms")


def levels(rows: list[dict[str, str]], check: str) -> list[str]:
    return [row["level"] for row in rows if row["check"] == check]


def test_a_healthy_cluster_is_fine_in_every_respect(line: CommandLine) -> None:
    rows = line.rows("doctor", *QUICK)
    checks = [row["check"] for row in rows]
    assert {*checks} == {
        "brokers",
        "addresses",
        "versions",
        "clocks",
        "disks",
        "partitions",
        "groups",
        "transactions",
    }
    assert {row["level"] for row in rows} == {"fine"}
    told = line.run("doctor", *QUICK).stdout
    assert "✓ brokers" in told
    assert "1 of 1 advertised addresses answer" in told
    assert "1 of 1 brokers tell their clock" in told


def test_a_group_that_stands_still_is_a_problem_and_an_exit_code(line: CommandLine) -> None:
    topic = line.broker.create_topic()
    hour_ago = str(int(time.time()) - 3600)
    line.run("produce", topic, "a", "b", "--timestamp", f"@{hour_ago}")
    with Consumer(
        line.broker.bootstrap,
        connector=line.broker.connector,
        group_id="stuck",
        client_id="worker",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    ) as consumer:
        consumer.subscribe([topic])
        assert consumer.poll(1, timeout_s=30)
        consumer.commit()
        rows = line.rows("doctor", *QUICK, code=3)
        told = line.run("doctor", *QUICK, code=3).stdout
    assert levels(rows, "groups") == ["fine", "problem"]
    assert "group stuck: it stands still: 1 record unread" in told
    assert f"`ottla consume {topic}:0 -s 1 -n 1`" in told
    assert levels(line.rows("doctor", *QUICK), "groups") == ["fine", "warning"]
    line.run("doctor", *QUICK, "--strict", code=3)
    line.run("doctor", *QUICK, "--strict", "--max-lag", "2h")


def test_records_of_the_future_are_told(line: CommandLine) -> None:
    topic = line.broker.create_topic(configs={"message.timestamp.after.max.ms": 10**12})
    line.run("produce", topic, "a", "--timestamp", f"@{int(time.time()) + 3600}")
    rows = line.rows("doctor", *QUICK)
    assert levels(rows, "clocks") == ["fine", "warning"]
    assert any(row["about"] == f"{topic}-0" for row in rows)


def test_a_cluster_that_is_not_there_is_refused(line: CommandLine) -> None:
    line.broker.stop()
    assert line.broker.bootstrap in line.refusal("doctor")
