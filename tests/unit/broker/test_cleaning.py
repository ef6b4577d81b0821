"""Compaction in a running broker: which log comes next, and what becomes of the result."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable

import msgspec
import pytest

from ottla.base.ids import TopicPartition
from ottla.base.limits import CLEANER_PAUSE_MS_MIN
from ottla.broker.cleaning import RETRY_MS_MAX, Cleaner, CleanerLostError, Cleaning
from ottla.log.checkpoints import CLEANER_OFFSETS, decode_offsets
from ottla.log.compaction.cleaner import compact
from ottla.log.compaction.plan import CompactionMemory, CompactionPlan
from ottla.log.compaction.result import CompactionResult
from ottla.log.scan import DamagedLogError
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, records_of

BACKOFF_MS = 1000
DELAY_MS = 60_000


class InlineCleaner:
    """Compacts in this very process; `meanwhile` happens before the result comes."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.meanwhile: Callable[[], None] = lambda: None
        self.plans: list[CompactionPlan] = []
        self.is_resting = self.is_closed = False

    async def compact(self, plan: CompactionPlan) -> CompactionResult:
        self.plans.append(plan)
        result = compact(plan, self.broker.disk, throttle=lambda _: None)
        self.meanwhile()
        return result

    def rest(self) -> None:
        self.is_resting = True

    async def close(self) -> None:
        self.is_closed = True


class Bench:
    """A broker, its compaction and a client."""

    def __init__(self, broker: MemoryBroker, client: Client) -> None:
        self.broker = broker
        self.client = client
        self.cleaner = InlineCleaner(broker)
        self.cleaning = Cleaning(
            broker.broker.replicas,
            broker.clock,
            [self.cleaner],
            memory=CompactionMemory(),
            backoff_ms=BACKOFF_MS,
        )

    def topic(self, name: str, **configs: str) -> None:
        policy = configs.pop("cleanup_policy", "compact")
        self.broker.create_topic(name, 1, replicas=(), cleanup_policy=policy, **configs)

    def fill(self, topic: str, *keys: bytes) -> None:
        """One closed segment for each key; the values count up."""
        for number, key in enumerate(keys):
            batch = batch_of(b"%d" % number, key=key, timestamp=self.broker.clock.now_ms())
            self.client.ask(produce((topic, 0, batch)), ProduceResponse, version=BY_NAME)
            self.broker.partition(topic).log.roll(self.broker.clock.now_ms())

    def clean(self) -> bool:
        return self.broker.loop.finish(self.cleaning.clean_filthiest(self.cleaner))

    def content(self, topic: str) -> list[tuple[int, bytes | None]]:
        found: list[tuple[int, bytes | None]] = []
        offset = 0
        while True:
            request = fetch((topic, partition_at(0, offset)))
            response = self.client.ask(request, FetchResponse, version=BY_NAME)
            records = records_of(fetched(response)[0].records)
            if not records:
                return found
            found += [(record.offset, record.key) for record in records]
            offset = found[-1][0] + 1

    @property
    def checkpoint(self) -> dict[str, int]:
        content = self.broker.disk.read_file(f"{self.broker.path}/{CLEANER_OFFSETS}")
        return {key.topic: offset for key, offset in decode_offsets(content).items()}

    def leftovers(self, topic: str, *suffixes: str) -> list[str]:
        names = self.broker.disk.list_dir(self.broker.folder(topic))
        return [name for name in names if name.endswith(suffixes)]


@pytest.fixture
def bench(broker: MemoryBroker, client: Client) -> Bench:
    return Bench(broker, client)


def test_a_compacted_topic_keeps_the_latest_of_each_key_and_its_offsets(bench: Bench) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"b", b"a")
    assert bench.clean()
    assert bench.content("t") == [(1, b"b"), (2, b"a")]
    assert bench.checkpoint == {"t": 3}
    assert not bench.clean()


def test_other_topics_are_left_alone(bench: Bench) -> None:
    bench.topic("t", cleanup_policy="delete")
    bench.fill("t", b"a", b"a")
    assert not bench.clean()


def test_compact_and_delete_together_are_compacted(bench: Bench) -> None:
    bench.topic("t", cleanup_policy="compact,delete")
    bench.fill("t", b"a", b"a")
    assert bench.clean()
    assert bench.content("t") == [(1, b"a")]


def test_the_filthiest_log_comes_first(bench: Bench) -> None:
    for topic in ("one", "two"):
        bench.topic(topic, min_cleanable_dirty_ratio="0.1")
        bench.fill(topic, b"a", b"b", b"c", b"d")
        assert bench.clean()
    bench.fill("one", b"a")
    bench.fill("two", b"a", b"b")
    assert bench.clean()
    assert bench.cleaner.plans[-1].directory.endswith("two-0")


def test_a_log_is_left_alone_until_enough_of_it_is_dirty(bench: Bench) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"b", b"c")
    assert bench.clean()
    bench.fill("t", b"a", b"b")
    assert not bench.clean()
    bench.fill("t", b"a", b"a")
    assert bench.clean()


def test_what_is_overdue_comes_before_everything_else(bench: Bench) -> None:
    bench.topic("late", max_compaction_lag_ms="1000", min_cleanable_dirty_ratio="1")
    bench.topic("dirty")
    bench.fill("late", b"a", b"a")
    bench.fill("dirty", b"a", b"a")
    bench.broker.loop.advance(1001)
    assert bench.clean()
    assert bench.cleaner.plans[-1].directory.endswith("late-0")


def test_replaced_files_are_unlinked_after_their_delay(bench: Bench) -> None:
    bench.topic("t", file_delete_delay_ms=str(DELAY_MS))
    bench.fill("t", b"a", b"b", b"a")
    assert bench.clean()
    assert bench.leftovers("t", ".deleted")
    bench.broker.loop.advance(DELAY_MS - 2000)
    assert bench.leftovers("t", ".deleted")
    bench.broker.loop.advance(3000)
    assert not bench.leftovers("t", ".deleted")


def test_the_checkpoint_holds_after_a_kill(bench: Bench) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"a")
    assert bench.clean()
    bench.broker.stop_uncleanly()
    bench.broker.start()
    offsets = bench.broker.directory.cleaner_offsets
    assert offsets == {TopicPartition("t", 0): 2}


def test_the_checkpoint_forgets_topics_that_are_gone(bench: Bench) -> None:
    for topic in ("gone", "here"):
        bench.topic(topic)
        bench.fill(topic, b"a", b"a")
    assert bench.clean()
    assert bench.clean()
    bench.broker.delete_topic("gone")
    bench.fill("here", b"a", b"a", b"a", b"a")
    assert bench.clean()
    assert list(bench.checkpoint) == ["here"]


def test_a_new_topic_of_an_old_name_begins_anew(bench: Bench) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"a")
    assert bench.clean()
    bench.broker.delete_topic("t")
    bench.topic("t")
    bench.broker.loop.settle()
    assert bench.broker.directory.cleaner_offsets == {}


def test_a_log_that_was_cut_is_compacted_from_its_start(bench: Bench) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"b", b"a")
    assert bench.clean()
    log = bench.broker.partition("t").log
    log.truncate_to(1)
    now_ms = bench.broker.clock.now_ms()
    log.append(batch_of(b"1", b"2", key=b"a"), leader_epoch=0, now_ms=now_ms)
    log.roll(now_ms)
    assert bench.clean()
    assert bench.cleaner.plans[-1].first_dirty_offset == 0


# --- what happens meanwhile ---


def test_a_topic_that_is_deleted_meanwhile_leaves_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"a")

    partition = bench.broker.partition("t")

    def delete() -> None:
        partition.take_offline("its topic was deleted")
        partition.log.abandon()

    bench.cleaner.meanwhile = delete
    assert bench.clean()
    assert caplog.records == []
    assert not bench.cleaning.progress.runs
    assert not bench.leftovers("t", ".cleaned", ".swap")


def test_a_log_whose_policy_changes_meanwhile_keeps_everything(bench: Bench) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"a")
    partition = bench.broker.partition("t")
    before = bench.content("t")

    def change() -> None:
        partition.log.config = msgspec.structs.replace(
            partition.log.config, cleanup_policy=("delete",)
        )

    bench.cleaner.meanwhile = change
    assert bench.clean()
    assert bench.content("t") == before
    assert not bench.leftovers("t", ".cleaned", ".swap")


def test_a_segment_that_retention_takes_meanwhile_makes_the_result_useless(bench: Bench) -> None:
    bench.topic("t", cleanup_policy="compact,delete")
    bench.fill("t", b"a", b"b", b"a")
    log = bench.broker.partition("t").log

    def release() -> None:
        log.advance_log_start(1)
        assert log.release_oldest(3, bench.broker.clock.now_ms()) is not None

    bench.cleaner.meanwhile = release
    assert bench.clean()
    assert not bench.leftovers("t", ".cleaned", ".swap")
    bench.cleaner.meanwhile = lambda: None
    assert bench.clean()
    assert bench.cleaner.plans[-1].first_dirty_offset == 1


# --- failures ---


def _raises(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_run_whose_process_ends_is_tried_again_later_and_later(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"a")
    bench.cleaner.meanwhile = _raises(CleanerLostError("killed"))
    assert bench.clean()
    assert not bench.leftovers("t", ".cleaned")
    assert not bench.clean(), "its time has not come"
    bench.broker.loop.advance(BACKOFF_MS)
    assert bench.clean()
    bench.broker.loop.advance(BACKOFF_MS)
    assert not bench.clean()
    bench.broker.loop.advance(RETRY_MS_MAX)
    bench.cleaner.meanwhile = lambda: None
    assert bench.clean()
    assert bench.content("t") == [(1, b"a")]
    assert [record.message for record in caplog.records] == [
        "a compaction failed, it will be tried again: killed"
    ] * 2
    caplog.clear()


def test_a_full_disk_is_no_reason_to_give_a_partition_up(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"a")
    bench.broker.disk.fail("append", ".cleaned", errno.ENOSPC)
    assert bench.clean()
    bench.broker.disk.heal()
    assert not bench.leftovers("t", ".cleaned")
    bench.broker.loop.advance(RETRY_MS_MAX)
    assert bench.clean()
    assert bench.content("t") == [(1, b"a")]
    caplog.clear()


def test_a_damaged_partition_is_given_up_and_the_others_are_compacted(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for topic in ("bad", "good"):
        bench.topic(topic)
        bench.fill(topic, b"a", b"a")
    damage = _raises(DamagedLogError("no batch at 7"))

    def meanwhile() -> None:
        if bench.cleaner.plans[-1].directory.endswith("bad-0"):
            damage()

    bench.cleaner.meanwhile = meanwhile
    assert bench.clean()
    assert bench.clean()
    assert not bench.clean()
    assert bench.cleaning.progress.uncleanable == 1
    assert bench.content("good") == [(1, b"a")]
    (told,) = caplog.records
    assert told.levelno == logging.ERROR
    assert "no batch at 7" in told.message
    caplog.clear()


def test_a_failing_sync_of_the_folder_leaves_the_log_as_it_was(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"a")
    before = bench.content("t")
    disk = bench.broker.disk
    bench.cleaner.meanwhile = lambda: disk.fail_at(1, errno.EIO, operation="sync_dir")
    assert bench.clean()
    assert bench.content("t") == before
    assert not bench.leftovers("t", ".cleaned", ".swap")
    caplog.clear()


# --- telling, resting, stopping ---


def test_a_run_tells_what_it_has_done(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"b", b"a")
    with caplog.at_level(logging.INFO, logger="ottla.broker.cleaning"):
        assert bench.clean()
    (told,) = [record for record in caplog.records if record.message == "a partition is compacted"]
    assert vars(told)["records_kept"] == 2
    progress = bench.cleaning.progress
    assert (progress.runs, progress.records_read, progress.records_kept) == (1, 3, 2)
    assert progress.last_partition == "t-0"
    assert 0 < progress.map_use < 1
    assert progress.dirty_ratio_max == 1


def test_it_rests_when_nothing_is_dirty_and_looks_again_after_its_pause(bench: Bench) -> None:
    bench.topic("t")
    bench.broker.in_loop(bench.cleaning.start)
    bench.broker.loop.settle()
    assert bench.cleaner.is_resting
    bench.fill("t", b"a", b"a")
    bench.broker.loop.advance(BACKOFF_MS - 1)
    assert not bench.cleaner.plans
    bench.broker.loop.advance(1)
    assert bench.content("t") == [(1, b"a")]
    bench.broker.loop.finish(bench.cleaning.stop())
    assert bench.cleaner.is_closed


def test_other_cleaners_take_over_and_those_before_end_after_their_run(bench: Bench) -> None:
    bench.topic("t")
    bench.fill("t", b"a", b"a")
    other, memory = InlineCleaner(bench.broker), CompactionMemory(map_bytes=1 << 20)

    def change() -> None:
        bench.cleaning.change([other], memory=memory, backoff_ms=BACKOFF_MS)

    bench.cleaner.meanwhile = change
    bench.broker.in_loop(bench.cleaning.start)
    bench.broker.loop.advance(BACKOFF_MS)
    assert bench.content("t") == [(1, b"a")]  # the run under way came to its end
    assert bench.cleaner.is_closed
    bench.fill("t", b"a", b"a")
    bench.broker.loop.advance(BACKOFF_MS)
    assert len(bench.cleaner.plans) == 1
    (plan,) = other.plans
    assert plan.memory == memory
    bench.broker.loop.finish(bench.cleaning.stop())
    assert other.is_closed


def test_a_pause_of_nothing_still_leaves_the_loop_time(bench: Bench) -> None:
    cleaning, looks = bench.cleaning, list[int]()

    async def nothing_to_do(cleaner: Cleaner) -> bool:
        looks.append(bench.broker.clock.now_ms())
        if len(looks) == 100:
            cleaning._crew.leaving.set()
        return False

    cleaning.clean_filthiest = nothing_to_do  # type: ignore[method-assign] # it counts
    bench.broker.in_loop(
        lambda: cleaning.change([bench.cleaner], memory=CompactionMemory(), backoff_ms=0)
    )
    assert len(looks) == 1
    bench.broker.loop.advance(CLEANER_PAUSE_MS_MIN)
    assert len(looks) == 2
    bench.broker.loop.finish(cleaning.stop())
