"""`ottla txn`: transactions that are open, and those that hang."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ottla.base.ids import TopicPartition
from ottla.client.admin import OpenTransaction, ProducerState
from ottla.client.admin.transactions import Transactions
from ottla.client.producer import Producer
from tests.support.command_line import CommandLine


def while_open(line: CommandLine, topic: str, name: str, look: Callable[[], None]) -> None:
    """Call `look` while a transaction of this id is open in a topic; then abort it."""

    async def main() -> None:
        broker = line.broker
        async with Producer(
            broker.bootstrap, connector=broker.connector, transactional_id=name
        ) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"undecided")
            await asyncio.to_thread(look)

    asyncio.run(main())


def test_an_open_transaction_is_listed_described_and_seen_in_its_partition(
    shared_line: CommandLine,
) -> None:
    shared_line.run("topic", "create", "in-txn")

    def look() -> None:
        listed = shared_line.rows("txn", "list", "--state", "ongoing", "--pattern", "open-.*")
        assert [(row["transactional_id"], row["state"]) for row in listed] == [
            ("open-1", "Ongoing")
        ]
        (described,) = shared_line.rows("txn", "describe", "open-1")
        assert described["partitions"] == ["in-txn-0"]
        assert described["started_at_ms"] > 0
        (producer,) = shared_line.rows("txn", "producers", "in-txn")
        assert producer["producer_id"] == described["producer_id"]
        assert producer["transaction_start_offset"] == 0
        assert shared_line.rows("topic", "offsets", "in-txn")[0]["end"] == 1
        assert shared_line.rows("topic", "offsets", "in-txn", "--committed")[0]["end"] == 0

    while_open(shared_line, "in-txn", "open-1", look)
    assert shared_line.rows("txn", "list", "--state", "Ongoing", "--pattern", "open-.*") == []


def test_an_id_that_nobody_uses_is_refused(shared_line: CommandLine) -> None:
    assert "nobody" in shared_line.refusal("txn", "describe", "nobody")


def test_nothing_hangs_where_a_coordinator_is_at_work(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "not-hanging")

    def look() -> None:
        found = shared_line.rows("txn", "find-hanging", "not-hanging", "--max-timeout", "0s")
        assert found == []

    while_open(shared_line, "not-hanging", "open-2", look)


def test_one_that_hangs_is_shown_and_is_a_finding(
    shared_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = ProducerState(
        producer_id=7,
        producer_epoch=2,
        last_sequence=4,
        last_timestamp_ms=1_000,
        coordinator_epoch=None,
        transaction_start_offset=42,
    )
    asked: list[dict[str, object]] = []

    async def find(_: Transactions, *partitions: TopicPartition, **named: object) -> object:
        asked.append({"partitions": partitions, **named})
        return (OpenTransaction(partition=TopicPartition("t", 3), producer=state),)

    shared_line.run("topic", "create", "t", "-p", "4")
    monkeypatch.setattr(Transactions, "find_hanging", find)
    (row,) = shared_line.rows("txn", "find-hanging", "t:3", "--max-timeout", "1h", code=3)
    assert (row["topic"], row["partition"], row["transaction_start_offset"]) == ("t", 3, 42)
    assert (row["producer_id"], row["coordinator_epoch"]) == (7, None)
    assert asked == [
        {
            "partitions": (TopicPartition("t", 3),),
            "broker_id": None,
            "max_transaction_timeout_ms": 3_600_000,
        }
    ]


def test_a_transaction_is_ended_past_its_coordinator(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "stuck")

    def look() -> None:
        told = shared_line.refusal("txn", "abort", "stuck:9", "--start-offset", "0")
        assert "stuck has no partition 9" in told
        refused = shared_line.refusal("txn", "abort", "stuck:0", "--start-offset", "7")
        assert "no open transaction of stuck-0 begins at 7" in refused
        told = shared_line.run("txn", "abort", "stuck:0", "--start-offset", "0").stdout
        assert told == "aborted the transaction in stuck-0\n"
        (producer,) = shared_line.rows("txn", "producers", "stuck:0")
        assert producer["transaction_start_offset"] is None

    while_open(shared_line, "stuck", "open-3", look)


def test_a_producer_is_fenced(shared_line: CommandLine) -> None:
    shared_line.run("topic", "create", "fenced")

    def look() -> None:
        (row,) = shared_line.rows("txn", "fence", "open-4")
        assert (row["transactional_id"], row["error"]) == ("open-4", "NONE")

    while_open(shared_line, "fenced", "open-4", look)


@pytest.mark.parametrize(
    "arguments",
    [
        ["abort", "stuck", "--start-offset", "0"],
        ["abort", "stuck:0,1", "--start-offset", "0"],
        ["abort", "stuck:0"],
        ["abort", "stuck:0", "--producer-id", "1"],
        ["abort", "stuck:0", "--start-offset", "0", "--producer-id", "1", "--producer-epoch", "0"],
        ["list", "--state", "asleep"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(shared_line: CommandLine, arguments: list[str]) -> None:
    assert "Error:" in shared_line.run("txn", *arguments, code=2).stderr
