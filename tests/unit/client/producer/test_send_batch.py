"""Many records at once: columns, their partitions, room, outcomes, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.client.producer import (
    BatchDelivery,
    BufferFullError,
    DeliveryError,
    DeliveryTimeoutError,
    ProducerClosedError,
    RecordTooLargeError,
    RowsCutOffError,
    RowsFailedError,
    StoredRows,
)
from ottla.client.producer.batch import ProducerBatch
from ottla.wire.records.key_hash import hash_number
from ottla.wire.records.layout import BytesColumn
from ottla.wire.records.record import Record
from tests.support.producer_bench import TOPIC, ProducerBench
from tests.support.producer_cluster import Faults
from tests.support.stepped_loop import START_MS
from tests.unit.client.producer.test_producer import batch_sizes


def numbered(count: int, *, size: int = 0) -> list[bytes | None]:
    return [b"%d" % number + bytes(size) for number in range(count)]


def taken_by(bench: ProducerBench, values: Any, **arguments: Any) -> BatchDelivery:
    return bench.run(bench.producer.send_batch(TOPIC, values, **arguments))


def records_of(bench: ProducerBench, partitions: int) -> list[Record]:
    return [
        record for index in range(partitions) for record in bench.cluster.log(TOPIC, index).records
    ]


async def _wait(delivery: BatchDelivery) -> StoredRows:
    return await delivery


# -- what is stored ------------------------------------------------------------------------------


def test_rows_are_stored_with_their_keys_times_and_headers() -> None:
    with ProducerBench() as bench:
        taken = taken_by(
            bench,
            [b"1", None, b"3"],
            keys=[b"k", None, b""],
            timestamps=[5, -1, 4],
            headers=[[("a", b"x")], [], [("a", None), ("é", b"")]],
        )
        bench.settle(200)
        stored = bench.cluster.log(TOPIC).records
        assert [(record.key, record.value) for record in stored] == [
            (b"k", b"1"),
            (None, None),
            (b"", b"3"),
        ]
        assert [record.timestamp for record in stored] == [5, 5, 4]
        assert [record.headers for record in stored] == [
            (("a", b"x"),),
            (),
            (("a", None), ("é", b"")),
        ]
        (where,) = taken.result().ranges
        assert (where.partition, where.offset, list(where.rows)) == (0, 0, [0, 1, 2])


def test_rows_without_times_have_that_of_the_call() -> None:
    with ProducerBench() as bench:
        taken_by(bench, numbered(2))
        taken_by(bench, numbered(2), timestamps=7)
        bench.settle(200)
        times = [record.timestamp for record in bench.cluster.log(TOPIC).records]
        assert times[2:] == [7, 7]
        assert START_MS <= times[0] == times[1] < START_MS + 1000


@pytest.mark.parametrize("form", [list, tuple, BytesColumn.of])
def test_rows_of_a_key_are_in_its_partition_and_in_their_order(form: Any) -> None:
    count = 5
    keys = [None if number % 7 == 3 else b"key-%d" % (number % 11) for number in range(1000)]
    with ProducerBench(partitions=count, batch_bytes=500) as bench:
        taken = taken_by(bench, form(numbered(1000)), keys=form(keys))
        bench.settle(300)
        stored = taken.result()
        assert len(stored) == 1000
        for row, key in enumerate(keys):
            partition, offset = stored.place(row)
            record = bench.cluster.log(TOPIC, partition).records[offset]
            assert (record.key, record.value) == (key, b"%d" % row)
            assert key is None or partition == hash_number(key) % count
        for index in range(count):
            values = [int(value or b"") for value in bench.cluster.values(TOPIC, index)]
            assert values == sorted(values)


def test_a_range_says_where_each_of_its_rows_is() -> None:
    with ProducerBench(partitions=3, batch_bytes=300) as bench:
        taken = taken_by(bench, numbered(200), keys=[b"%d" % (row % 9) for row in range(200)])
        bench.settle(300)
        seen: list[int] = []
        for partition, offset, rows in taken.result().ranges:
            values = bench.cluster.values(TOPIC, partition)[offset : offset + len(rows)]
            assert values == [b"%d" % row for row in rows]
            seen += rows
        assert sorted(seen) == list(range(200))
        with pytest.raises(KeyError):
            taken.result().place(200)


def test_rows_without_keys_fill_batch_after_batch_of_other_partitions() -> None:
    with ProducerBench(partitions=3, batch_bytes=1000) as bench:
        bench.warm_up()
        taken_by(bench, numbered(1000, size=90))
        bench.settle(200)
        sizes = batch_sizes(bench.cluster.requests)
        assert sum(sizes) == 1000
        assert sorted(sizes)[1] >= 9
        assert min(len(bench.cluster.values(TOPIC, index)) for index in range(3)) > 150


def test_rows_go_to_the_partition_that_is_asked_for() -> None:
    with ProducerBench(partitions=3, batch_bytes=200) as bench:
        taken_by(bench, numbered(100), keys=numbered(100), partition=2)
        bench.settle(200)
        assert bench.cluster.values(TOPIC, 2) == numbered(100)
        with pytest.raises(ValueError, match="no number -1"):
            taken_by(bench, numbered(1), partition=-1)


def test_no_rows_are_taken_at_once() -> None:
    with ProducerBench(partitions=0) as bench:
        taken = taken_by(bench, [])
        assert taken.done()
        assert len(taken.result()) == 0


def test_a_part_of_a_batch_waits_for_company_of_either_kind() -> None:
    with ProducerBench(linger_ms=50) as bench:
        bench.warm_up()
        taken_by(bench, numbered(3))
        bench.send_many(b"a", b"b")
        taken_by(bench, numbered(4))
        bench.settle(40)
        assert bench.cluster.requests == []
        bench.settle(20)
        assert batch_sizes(bench.cluster.requests) == [9]
        expected = [b"first", *numbered(3), b"a", b"b", *numbered(4)]
        assert bench.cluster.values(TOPIC) == expected


def test_arrow_s_tables_are_rows() -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    table = arrow.table(
        {"key": [b"k", None], "value": ["1", None], "timestamp": [7, None], "more": [1, 2]}
    )
    with ProducerBench() as bench:
        taken_by(bench, table)
        taken_by(bench, table, keys=[b"mine", b"too"], timestamps=[9, 9])
        taken_by(bench, table["value"], keys=table["key"], timestamps=table["timestamp"])
        bench.settle(200)
        stored = [(r.key, r.value, r.timestamp) for r in bench.cluster.log(TOPIC).records]
        as_given = [(b"k", b"1", 7), (None, None, 7)]
        assert stored == [*as_given, (b"mine", b"1", 9), (b"too", None, 9), *as_given]


class OneShot:
    """A stream of Arrow's that can be read once, as those of a database's cursor."""

    def __init__(self, of: Any) -> None:
        self._of: list[Any] = [of]

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._of.pop().__arrow_c_stream__(requested_schema)


def test_a_stream_that_can_be_read_once_is_read_once() -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    table = arrow.table({"key": [b"k", None], "value": [b"1", b"2"]})
    with ProducerBench() as bench:
        taken_by(bench, OneShot(table))
        taken_by(bench, OneShot(table["value"]), keys=OneShot(table["key"]))
        bench.settle(200)
        stored = [(record.key, record.value) for record in bench.cluster.log(TOPIC).records]
        assert stored == [(b"k", b"1"), (None, b"2")] * 2


def test_headers_beside_a_table_are_as_many_as_its_rows() -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    pair = arrow.struct([("name", arrow.string()), ("value", arrow.binary())])
    headers = arrow.array([[{"name": "h", "value": b"1"}]], arrow.list_(pair))
    table = arrow.table({"value": [b"1"], "headers": headers})
    with ProducerBench() as bench:
        with pytest.raises(ValueError, match="0 headers for 1"):
            taken_by(bench, table, headers=[])
        taken_by(bench, table, headers=[[("mine", b"2")]])
        bench.settle(200)
        assert [r.headers for r in bench.cluster.log(TOPIC).records] == [(("mine", b"2"),)]


def test_compressed_rows_are_the_same() -> None:
    with ProducerBench(partitions=2, compression="lz4", batch_bytes=300_000) as bench:
        values = numbered(10_000, size=90)
        taken_by(bench, values, partition=0)
        bench.settle(300)
        assert bench.cluster.values(TOPIC) == values


# -- before anything is taken --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "more", "kind"),
    [
        ([b"a", "b"], {}, TypeError),
        ([b"a", bytearray(b"b")], {}, TypeError),
        (b"ab", {}, TypeError),
        ("ab", {}, TypeError),
        (7, {}, TypeError),
        ([b"a", b"b"], {"keys": [b"k"]}, ValueError),
        ([b"a", b"b"], {"keys": [b"k", 1]}, TypeError),
        ([b"a", b"b"], {"timestamps": [1]}, ValueError),
        ([b"a", b"b"], {"timestamps": [1, -5]}, ValueError),
        ([b"a", b"b"], {"timestamps": -5}, ValueError),
        ([b"a", b"b"], {"headers": [[]]}, ValueError),
        ([b"a", b"b" * 1000], {}, RecordTooLargeError),
        ([b"a", b"b"], {"headers": [[], [("h", bytes(1000))]]}, RecordTooLargeError),
    ],
)
def test_nothing_is_taken_of_rows_of_which_one_cannot_be(
    values: Any, more: dict[str, Any], kind: type[Exception]
) -> None:
    with ProducerBench(max_request_size=1000) as bench:
        bench.warm_up()
        with pytest.raises(kind):
            taken_by(bench, values, **more)
        bench.settle(100)
        assert bench.cluster.requests == []
        assert bench.producer.metrics().buffer_bytes_used == 0


def test_a_row_that_is_too_large_is_named() -> None:
    with ProducerBench(max_request_size=1000) as bench:
        with pytest.raises(RecordTooLargeError) as caught:
            taken_by(bench, [b"", b"", bytes(2000), b""])
        assert caught.value.__notes__ == ["it is row 2"]


def test_rows_wait_for_their_topic_and_its_partition() -> None:
    with ProducerBench(partitions=0) as bench:
        task = bench.start(bench.producer.send_batch(TOPIC, numbered(3), partition=1))
        before = bench.send(b"before", partition=1)
        bench.settle(500)
        assert not task.done()
        bench.cluster.create(TOPIC, 2)
        bench.settle(3000)
        assert before.done()
        assert set(bench.cluster.values(TOPIC, 1)) == {b"0", b"1", b"2", b"before"}
        assert len(bench.cluster.values(TOPIC, 1)) == 4
        assert len(task.result().result()) == 3


def test_rows_for_a_topic_that_never_comes_are_not_taken() -> None:
    with ProducerBench(partitions=0, max_block_ms=1000) as bench:
        task = bench.start(bench.producer.send_batch(TOPIC, numbered(3)))
        bench.settle(3000)
        with pytest.raises(DeliveryTimeoutError, match="UNKNOWN_TOPIC_OR_PARTITION"):
            task.result()
        assert bench.producer.metrics().records_failed == 0


def test_rows_that_give_up_waiting_for_their_topic_leave_nothing_behind() -> None:
    with ProducerBench(partitions=0) as bench:
        task = bench.start(bench.producer.send_batch(TOPIC, numbered(3)))
        bench.settle(10)
        task.cancel()
        bench.settle(10)
        bench.cluster.create(TOPIC, 1)
        bench.run(bench.producer.flush())
        assert bench.cluster.values(TOPIC) == []


def test_closing_ends_a_call_whose_rows_are_still_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ottla.client.producer.row_intake.TURN_ROWS_CHECKED", 1)
    with ProducerBench() as bench:
        sending = bench.loop.create_task(bench.producer.send_batch("missing", numbered(100)))
        bench.start(bench.producer.close())
        bench.settle(100)
        with pytest.raises(ProducerClosedError):
            sending.result()


# -- room ----------------------------------------------------------------------------------------

SIZE = 1000


def test_rows_wait_for_room_and_the_memory_is_bounded() -> None:
    with ProducerBench(buffer_memory=20_000, batch_bytes=4000) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=20)
        task = bench.start(bench.producer.send_batch(TOPIC, numbered(200, size=SIZE)))
        used = []
        for _ in range(3000):
            bench.settle(1)
            used.append(bench.producer.metrics().buffer_bytes_used)
            if task.done():
                break
        bench.start(bench.producer.flush())
        bench.settle(200)
        assert task.result().result().ranges
        assert bench.cluster.values(TOPIC)[1:] == numbered(200, size=SIZE)
        assert 18_000 < max(used) <= 20_000 + 2 * SIZE


def test_rows_for_which_no_room_comes_say_how_many_were_taken() -> None:
    with ProducerBench(
        buffer_memory=5000, batch_bytes=2000, max_block_ms=500, linger_ms=0
    ) as bench:
        bench.warm_up()
        bench.cluster.is_reachable = False
        bench.cluster.faults = Faults(latency_ms=100_000)
        task = bench.start(bench.producer.send_batch(TOPIC, numbered(20, size=SIZE)))
        bench.settle(600)
        with pytest.raises(RowsCutOffError, match="only the first") as caught:
            task.result()
        assert isinstance(caught.value.__cause__, BufferFullError)
        assert 4 <= caught.value.delivery.taken <= 6


def test_rows_without_any_room_are_not_taken() -> None:
    with ProducerBench(buffer_memory=1000, max_block_ms=500) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=100_000)
        bench.send_many(bytes(900), bytes(900))
        task = bench.start(bench.producer.send_batch(TOPIC, numbered(2)))
        bench.settle(600)
        with pytest.raises(BufferFullError):
            task.result()


@pytest.mark.parametrize("after_ms", [0, 1, 5, 20, 21, 45, 60, 100])
def test_of_a_cancelled_call_the_first_rows_are_stored_once(after_ms: int) -> None:
    with ProducerBench(buffer_memory=20_000, batch_bytes=4000, partitions=2) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=20)
        keys = [b"%d" % (row % 5) for row in range(200)]
        task = bench.start(bench.producer.send_batch(TOPIC, numbered(200, size=SIZE), keys=keys))
        bench.settle(after_ms)
        task.cancel()
        bench.settle(2000)
        assert task.cancelled()
        stored = records_of(bench, 2)[1:]
        numbers = sorted(int((record.value or b"").rstrip(b"\0")) for record in stored)
        assert numbers == list(range(len(numbers)))
        assert 10 < len(numbers) < 200
        assert bench.producer.metrics().buffer_bytes_used == 0


def test_closing_ends_a_call_that_waits_for_room() -> None:
    with ProducerBench(buffer_memory=5000, batch_bytes=2000) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=100_000)
        task = bench.start(bench.producer.send_batch(TOPIC, numbered(20, size=SIZE)))
        bench.settle(10)
        bench.start(bench.producer.close(timeout_s=0.1))
        bench.settle(200)
        with pytest.raises(RowsCutOffError) as caught:
            task.result()
        assert isinstance(caught.value.__cause__, ProducerClosedError)
        with pytest.raises(RowsFailedError):
            caught.value.delivery.result()


# -- outcomes ------------------------------------------------------------------------------------


def test_rows_that_fail_are_told_apart_from_those_that_are_stored() -> None:
    with ProducerBench(partitions=2) as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.INVALID_RECORD]
        keys: Sequence[bytes] = [b"%d" % (row % 8) for row in range(40)]
        taken = taken_by(bench, numbered(40), keys=keys)
        with pytest.raises(asyncio.InvalidStateError):
            taken.result()
        bench.settle(300)
        with pytest.raises(RowsFailedError, match=r"of 40 rows for 't', the first") as caught:
            taken.result()
        error = caught.value
        assert isinstance(error, DeliveryError)
        assert error.code is ErrorCode.INVALID_RECORD
        (failed,) = error.failed
        assert isinstance(failed.error, DeliveryError)
        lost = set(failed.rows)
        kept = {row for one in error.stored.ranges for row in one.rows}
        assert lost | kept == set(range(40))
        assert lost
        assert {hash_number(keys[row]) % 2 for row in lost} == {failed.partition}
        values = {record.value for record in records_of(bench, 2)} - {b"first"}
        assert values == {b"%d" % row for row in kept}
        assert type(taken.exception()) is RowsFailedError


def test_rows_of_a_batch_that_is_split_are_found_in_its_parts() -> None:
    with ProducerBench() as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.MESSAGE_TOO_LARGE] * 2 + [ErrorCode.INVALID_RECORD]
        heard: list[BatchDelivery] = []
        bench.send(b"before")
        taken = taken_by(bench, numbered(9))
        taken.add_done_callback(heard.append)
        waiting = [bench.start(_wait(taken)) for _ in range(2)]
        waiting[0].cancel()
        bench.settle(3000)
        assert heard == [taken]
        with pytest.raises(RowsFailedError) as caught:
            waiting[1].result()
        stored = {row: caught.value.stored.place(row) for row in range(9) if _is_in(caught, row)}
        for row, (partition, offset) in stored.items():
            assert bench.cluster.values(TOPIC, partition)[offset] == b"%d" % row
        lost = [row for one in caught.value.failed for row in one.rows]
        assert sorted([*stored, *lost]) == list(range(9))
        assert lost == [0]


def _is_in(caught: pytest.ExceptionInfo[RowsFailedError], row: int) -> bool:
    return any(row in one.rows for one in caught.value.stored.ranges)


def test_without_acks_no_offset_is_known() -> None:
    with ProducerBench(acks=0) as bench:
        taken = taken_by(bench, numbered(3))
        bench.settle(300)
        assert taken.result().place(2) == (0, -1)


def test_who_listens_late_is_told_at_once() -> None:
    heard: list[BatchDelivery] = []
    with ProducerBench() as bench:
        taken = taken_by(bench, numbered(3))
        assert not taken.done()
        bench.settle(300)
        taken.add_done_callback(heard.append)
        assert heard == [taken]
        assert bench.run(_wait(taken)).place(1) == (0, 1)


def test_who_listens_is_told_once_and_each_piece_is_looked_at_but_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = 0
    stretches = ProducerBatch.stretches

    def counted(batch: ProducerBatch, index: int, count: int) -> Any:
        nonlocal looks
        looks += 1
        return stretches(batch, index, count)

    monkeypatch.setattr(ProducerBatch, "stretches", counted)
    heard: list[BatchDelivery] = []
    with ProducerBench(partitions=2, batch_bytes=100) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=5)
        taken = taken_by(bench, numbered(300, size=30))
        taken.add_done_callback(heard.append)
        assert heard == []
        bench.settle(3000)
        assert heard == [taken]
        assert looks < 1000
        assert len(taken.result()) == 300


# -- transactions --------------------------------------------------------------------------------


def test_rows_are_part_of_the_transaction_that_they_were_given_to() -> None:
    with ProducerBench(transactional_id="x", buffer_memory=5000, batch_bytes=2000) as bench:
        with pytest.raises(UserError, match="inside a transaction"):
            taken_by(bench, numbered(1))
        bench.run(bench.producer.begin_transaction())
        first = taken_by(bench, numbered(3))
        task = bench.start(bench.producer.commit_transaction())
        bench.settle(300)
        assert task.done()
        assert first.result().place(2) == (0, 2)

        bench.run(bench.producer.begin_transaction())
        bench.cluster.faults = Faults(latency_ms=100)
        sending = bench.start(bench.producer.send_batch(TOPIC, numbered(30, size=SIZE)))
        bench.settle(5)
        assert not sending.done()
        aborting = bench.start(bench.producer.abort_transaction())
        begun = bench.start(_begin_after(bench, aborting))
        bench.settle(3000)
        assert begun.done()
        with pytest.raises(RowsCutOffError):
            sending.result()


def test_rows_are_not_taken_by_a_commit_that_is_on_its_way() -> None:
    with ProducerBench(transactional_id="x", buffer_memory=5000, batch_bytes=2000) as bench:
        bench.run(bench.producer.begin_transaction())
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=100)
        sending = bench.start(bench.producer.send_batch(TOPIC, numbered(30, size=SIZE)))
        bench.settle(5)
        committing = bench.start(bench.producer.commit_transaction())
        with pytest.raises(UserError, match="inside a transaction"):
            bench.send(b"too late")
        bench.settle(3000)
        assert committing.done()
        with pytest.raises(RowsCutOffError) as caught:
            sending.result()
        taken = caught.value.delivery.taken
        assert 0 < taken < 30
        assert bench.cluster.values(TOPIC)[1:] == numbered(taken, size=SIZE)


def test_a_commit_that_is_cancelled_while_it_waits_leaves_the_transaction_open() -> None:
    with ProducerBench(transactional_id="x") as bench:
        bench.run(bench.producer.begin_transaction())
        bench.cluster.faults = Faults(latency_ms=100)
        bench.send(b"1")
        committing = bench.start(bench.producer.commit_transaction())
        committing.cancel()
        bench.settle(1)
        bench.send(b"2")
        again = bench.start(bench.producer.commit_transaction())
        bench.settle(3000)
        assert again.done()
        assert bench.cluster.values(TOPIC) == [b"1", b"2"]


def test_rows_that_are_still_looked_at_do_not_join_the_next_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ottla.client.producer.row_intake.TURN_ROWS_CHECKED", 1)
    with ProducerBench(transactional_id="x") as bench:
        bench.run(bench.producer.begin_transaction())
        sending = bench.loop.create_task(bench.producer.send_batch(TOPIC, numbered(1000)))
        aborting = bench.loop.create_task(bench.producer.abort_transaction())
        begun = bench.start(_begin_after(bench, aborting))
        bench.settle(100)
        assert begun.done()
        with pytest.raises(UserError, match="has ended"):
            sending.result()


async def _begin_after(bench: ProducerBench, aborting: asyncio.Task[None]) -> None:
    await aborting
    await bench.producer.begin_transaction()
