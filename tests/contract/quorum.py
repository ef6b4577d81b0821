"""What every engine of the metadata log must do, as tests.

An engine's own test file subclasses `QuorumContract` and says how to join a cluster. `join` may be
called several times: each call is another node's hold on the same log.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ottla.quorum.contract import (
    ElectionHeldError,
    Leadership,
    LogBatch,
    NodeIdInUseError,
    NotLeaderError,
    Quorum,
    Snapshot,
    SnapshotNeededError,
    UnexpectedEndError,
    VoterPlace,
)
from ottla.wire.payloads.metadata import FeatureLevelRecord, NoOpRecord, TopicRecord
from ottla.wire.schema import Payload

T = TypeVar("T")
DEADLINE_S = 10.0


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a loop of its own, with a deadline."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), DEADLINE_S))

    return run


def topic(number: int) -> TopicRecord:
    return TopicRecord(name=f"topic-{number}", topic_id=number.to_bytes(16, "big"))


async def take(batches: AsyncIterator[LogBatch], count: int) -> list[Payload]:
    """The first `count` records that come."""
    records: list[Payload] = []
    async for batch in batches:
        records.extend(batch.records)
        if len(records) >= count:
            break
    return records


async def everything(quorum: Quorum, start: int = 0) -> list[LogBatch]:
    found: list[LogBatch] = []
    while batches := await quorum.read(start):
        found += batches
        start = batches[-1].next_offset
    return found


def records_of(batches: list[LogBatch]) -> list[Payload]:
    return [record for batch in batches for record in batch.records]


class QuorumContract(ABC):
    """Subclass it as `TestSomething`."""

    @abstractmethod
    def join(self, place: Path) -> Awaitable[Quorum]:
        """Another hold on the cluster of this place."""

    @asynccontextmanager
    async def quorum(self, place: Path) -> AsyncIterator[Quorum]:
        joined = await self.join(place)
        try:
            yield joined
        finally:
            await joined.close()

    @asynccontextmanager
    async def leading(self, place: Path, node_id: int = 1) -> AsyncIterator[tuple[Quorum, int]]:
        """A node that leads, and its epoch."""
        async with self.quorum(place) as quorum:
            leadership = await quorum.elect(node_id)
            yield quorum, leadership.epoch

    @on_loop
    async def test_an_election_begins_its_epoch_with_a_control_record(self, tmp_path: Path) -> None:
        async with self.quorum(tmp_path) as quorum:
            assert await quorum.end_offset() == 0
            assert await quorum.leader() is None
            leadership = await quorum.elect(7)
            assert leadership == Leadership(7, 1)
            assert await quorum.leader() == leadership
            assert await quorum.end_offset() == 1
            (batch,) = await quorum.read(0)
            assert (batch.base_offset, batch.next_offset, batch.epoch) == (0, 1, 1)
            assert batch.records == ()

    @on_loop
    async def test_the_leader_knows_how_far_the_quorum_is(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path, node_id=7) as (quorum, epoch):
            await quorum.append([topic(1)], epoch=epoch, expected_end=1)
            state = quorum.describe()
            assert (state.leader, state.end_offset) == (Leadership(7, epoch), 2)
            assert [(voter.node_id, voter.end_offset) for voter in state.voters] == [(7, 2)]
            async with self.quorum(tmp_path) as other:
                with pytest.raises(NotLeaderError):
                    other.describe()

    @on_loop
    async def test_voters_move_into_the_log_and_stay_there(self, tmp_path: Path) -> None:
        place = VoterPlace(b"d" * 16, (("PLAINTEXT", "localhost", 9092),))
        async with self.leading(tmp_path, node_id=7) as (quorum, epoch):
            assert quorum.describe().kraft_version == 0
            with pytest.raises(UnexpectedEndError):
                await quorum.move_voters_into_log(place, epoch=epoch, expected_end=0)
            with pytest.raises(NotLeaderError):
                await quorum.move_voters_into_log(place, epoch=epoch + 1, expected_end=1)
            end = await quorum.move_voters_into_log(place, epoch=epoch, expected_end=1)
            assert quorum.describe().kraft_version == 1
            assert records_of(await everything(quorum)) == []
            await quorum.append([topic(1)], epoch=epoch, expected_end=end)
        async with self.leading(tmp_path, node_id=7) as (quorum, epoch):
            state = quorum.describe()
            assert state.kraft_version == 1
            assert [(each.node_id, each.directory_id) for each in state.voters] == [(7, b"d" * 16)]
            end = await quorum.end_offset()
            snapshot = Snapshot(next_offset=end, epoch=epoch, timestamp_ms=1, records=())
            await quorum.save_snapshot(snapshot)
        async with self.leading(tmp_path, node_id=7) as (quorum, _):
            assert quorum.describe().kraft_version == 1

    @on_loop
    async def test_what_was_appended_is_read_back_in_batches(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            assert await quorum.append([topic(1), topic(2)], epoch=epoch, expected_end=1) == 3
            assert await quorum.append([NoOpRecord()], epoch=epoch, expected_end=3) == 4
            batches = await everything(quorum)
            assert [(batch.base_offset, batch.next_offset) for batch in batches] == [
                (0, 1),
                (1, 3),
                (3, 4),
            ]
            assert records_of(batches) == [topic(1), topic(2), NoOpRecord()]
            assert all(batch.timestamp_ms > 0 for batch in batches)

    @on_loop
    async def test_a_read_from_inside_of_a_batch_gives_the_whole_batch(
        self, tmp_path: Path
    ) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            await quorum.append([topic(1), topic(2)], epoch=epoch, expected_end=1)
            (batch,) = await quorum.read(2)
            assert batch.base_offset == 1
            assert await quorum.read(3) == []

    @on_loop
    async def test_a_read_gives_one_batch_however_small_its_limit(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            for end in range(1, 4):
                await quorum.append([topic(end)], epoch=epoch, expected_end=end)
            assert len(await quorum.read(1, max_bytes=1)) == 1

    @on_loop
    async def test_every_election_has_a_greater_epoch(self, tmp_path: Path) -> None:
        epochs = []
        for _ in range(3):
            async with self.leading(tmp_path) as (_, epoch):
                epochs.append(epoch)
        assert epochs == sorted(set(epochs))
        async with self.quorum(tmp_path) as quorum:
            assert [batch.epoch for batch in await everything(quorum)] == epochs

    @on_loop
    async def test_records_outlive_the_node_that_wrote_them(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            await quorum.append([topic(1)], epoch=epoch, expected_end=1)
        async with self.leading(tmp_path, node_id=2) as (quorum, epoch):
            assert await quorum.end_offset() == 3
            await quorum.append([topic(2)], epoch=epoch, expected_end=3)
            assert records_of(await everything(quorum)) == [topic(1), topic(2)]

    @on_loop
    async def test_only_one_leads_at_a_time(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path), self.quorum(tmp_path) as other:
            with pytest.raises(ElectionHeldError):
                await other.elect(2, wait=False)

    @on_loop
    async def test_who_waits_leads_once_the_leader_is_gone(self, tmp_path: Path) -> None:
        async with self.quorum(tmp_path) as first, self.quorum(tmp_path) as second:
            was = await first.elect(1)
            waiting = asyncio.ensure_future(second.elect(2))
            await asyncio.sleep(0)
            assert not waiting.done()
            await first.close()
            now = await waiting
            assert now.node_id == 2
            assert now.epoch > was.epoch

    @on_loop
    async def test_who_does_not_lead_cannot_write(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (leader, epoch), self.quorum(tmp_path) as other:
            with pytest.raises(NotLeaderError):
                await other.append([topic(1)], epoch=epoch, expected_end=1)
            with pytest.raises(NotLeaderError):
                await leader.append([topic(1)], epoch=epoch - 1, expected_end=1)
            assert await leader.end_offset() == 1

    @on_loop
    async def test_a_writer_that_lags_behind_writes_nothing(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            await quorum.append([topic(1)], epoch=epoch, expected_end=1)
            for wrong in (0, 1, 3):
                with pytest.raises(UnexpectedEndError):
                    await quorum.append([topic(2)], epoch=epoch, expected_end=wrong)
            assert records_of(await everything(quorum)) == [topic(1)]

    @on_loop
    async def test_of_two_appends_at_the_same_place_one_wins(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            outcomes = await asyncio.gather(
                *(quorum.append([topic(n)], epoch=epoch, expected_end=1) for n in range(5)),
                return_exceptions=True,
            )
            won = [outcome for outcome in outcomes if outcome == 2]
            lost = [outcome for outcome in outcomes if isinstance(outcome, UnexpectedEndError)]
            assert (len(won), len(lost)) == (1, 4)
            assert await quorum.end_offset() == 2

    @on_loop
    async def test_an_append_that_nobody_waits_for_any_more_is_whole_or_not_there(
        self, tmp_path: Path
    ) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            append = asyncio.ensure_future(quorum.append([topic(1)], epoch=epoch, expected_end=1))
            await asyncio.sleep(0)
            append.cancel()
            with pytest.raises(asyncio.CancelledError):
                await append
            seen = await take(quorum.watch(1), 1)
            assert seen == [topic(1)]
            end = await quorum.end_offset()
            assert await quorum.append([topic(2)], epoch=epoch, expected_end=end) == end + 1

    @on_loop
    async def test_a_watcher_sees_what_was_and_what_comes(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, epoch), self.quorum(tmp_path) as other:
            await quorum.append([topic(1)], epoch=epoch, expected_end=1)
            watches = [
                asyncio.ensure_future(take(watched.watch(0), 3)) for watched in (quorum, other)
            ]
            await quorum.append([topic(2)], epoch=epoch, expected_end=2)
            await quorum.append([topic(3)], epoch=epoch, expected_end=3)
            for seen in await asyncio.gather(*watches):
                assert seen == [topic(1), topic(2), topic(3)]

    @on_loop
    async def test_a_watcher_follows_from_leader_to_leader(self, tmp_path: Path) -> None:
        async with self.quorum(tmp_path) as watcher:
            watch = asyncio.ensure_future(take(watcher.watch(0), 2))
            for number in (1, 2):
                async with self.leading(tmp_path, node_id=number) as (quorum, epoch):
                    end = await quorum.end_offset()
                    await quorum.append([topic(number)], epoch=epoch, expected_end=end)
            assert await watch == [topic(1), topic(2)]

    @on_loop
    async def test_a_watch_ends_when_the_quorum_is_closed(self, tmp_path: Path) -> None:
        quorum = await self.join(tmp_path)
        watch = asyncio.ensure_future(take(quorum.watch(0), 1))
        sessions = asyncio.ensure_future(_all(quorum.watch_sessions()))
        await asyncio.sleep(0)
        await quorum.close()
        assert await watch == []
        assert await sessions == [frozenset()]
        await quorum.close()

    @on_loop
    async def test_a_snapshot_stands_for_the_records_before_it(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            await _append_all(quorum, epoch, range(1, 50))
            assert await quorum.latest_snapshot() is None
            snapshot = _snapshot(40, epoch)
            before = quorum.bytes_since_snapshot
            await quorum.save_snapshot(snapshot)
            assert await quorum.latest_snapshot() == snapshot
            assert quorum.bytes_since_snapshot < before
            kept = records_of(await everything(quorum, 40))
            assert kept == [topic(number) for number in range(40, 50)]
            assert await quorum.append([topic(50)], epoch=epoch, expected_end=50) == 51

    @on_loop
    async def test_a_snapshot_of_everything_empties_the_log(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            await _append_all(quorum, epoch, range(1, 50))
            await quorum.save_snapshot(_snapshot(50, epoch))
            with pytest.raises(SnapshotNeededError):
                await quorum.read(0)
            with pytest.raises(SnapshotNeededError):
                await take(quorum.watch(49), 1)
            assert await quorum.read(50) == []
            watch = asyncio.ensure_future(take(quorum.watch(50), 1))
            await quorum.append([topic(50)], epoch=epoch, expected_end=50)
            assert await watch == [topic(50)]

    @on_loop
    async def test_the_next_leader_goes_on_from_a_snapshot(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, first):
            await _append_all(quorum, first, range(1, 20))
            await quorum.save_snapshot(_snapshot(20, first))
        async with self.leading(tmp_path) as (quorum, second):
            assert second > first
            assert await quorum.end_offset() == 21
            snapshot = await quorum.latest_snapshot()
            assert snapshot is not None
            assert snapshot.next_offset == 20
            await quorum.append([topic(21)], epoch=second, expected_end=21)
            assert records_of(await everything(quorum, 20)) == [topic(21)]

    @on_loop
    async def test_only_the_newest_snapshot_counts(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path) as (quorum, epoch):
            for end in (10, 20, 30):
                start = await quorum.end_offset()
                await _append_all(quorum, epoch, range(start, end))
                await quorum.save_snapshot(_snapshot(end, epoch))
            assert await quorum.latest_snapshot() == _snapshot(30, epoch)

    @on_loop
    async def test_only_the_leader_saves_snapshots(self, tmp_path: Path) -> None:
        async with self.leading(tmp_path), self.quorum(tmp_path) as other:
            with pytest.raises(NotLeaderError):
                await other.save_snapshot(_snapshot(1, 1))

    @on_loop
    async def test_a_session_is_seen_by_all_until_it_is_closed(self, tmp_path: Path) -> None:
        async with self.quorum(tmp_path) as first, self.quorum(tmp_path) as second:
            seen = second.watch_sessions()
            assert await anext(seen) == frozenset()
            await first.open_session(1)
            assert await anext(seen) == {1}
            await second.open_session(2)
            assert await anext(seen) == {1, 2}
            assert await first.live_nodes() == {1, 2}
            await first.close()
            assert await anext(seen) == {2}

    @on_loop
    async def test_a_node_id_is_used_once(self, tmp_path: Path) -> None:
        async with self.quorum(tmp_path) as first, self.quorum(tmp_path) as second:
            await first.open_session(1)
            with pytest.raises(NodeIdInUseError, match="node id 1 is in use"):
                await second.open_session(1)
            await first.close()
            await second.open_session(1)


async def _append_all(quorum: Quorum, epoch: int, numbers: range) -> None:
    """One topic an offset, the number the same as the offset."""
    for number in numbers:
        await quorum.append([topic(number)], epoch=epoch, expected_end=number)


def _snapshot(next_offset: int, epoch: int) -> Snapshot:
    records: list[Payload] = [topic(number) for number in range(1, next_offset)]
    level = FeatureLevelRecord(name="metadata.version", feature_level=30)
    return Snapshot(
        next_offset=next_offset, epoch=epoch, timestamp_ms=1234, records=(level, *records)
    )


async def _all(values: AsyncIterator[T]) -> list[T]:
    return [value async for value in values]
