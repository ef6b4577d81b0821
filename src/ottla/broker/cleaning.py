"""Compaction in a running broker: which log comes next, who does the work, what becomes of it.

The work itself is Python over every record, so another process does it (`Cleaner`): here it would
hold up the loop. What it has written is taken over in small steps, between which requests are
served; the folder is synced in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from ottla.base.limits import CLEANER_PAUSE_MS_MIN
from ottla.base.world import Clock
from ottla.broker.log_directory import LogDirectory
from ottla.broker.partition import Partition
from ottla.broker.replicas import LocalReplicas
from ottla.log.compaction.cleaned_segment import remove_cleaned
from ottla.log.compaction.plan import (
    CompactionMemory,
    CompactionPlan,
    Dirtiness,
    dirtiness,
    plan_compaction,
)
from ottla.log.compaction.result import CompactionResult, CompactionStats
from ottla.log.compaction.swap import StaleCompactionError, Swap
from ottla.log.errors import StorageError
from ottla.log.index_file import DamagedIndexError
from ottla.log.scan import DamagedLogError

log = logging.getLogger(__name__)

RETRY_MS_MAX: Final = 600_000
"""The longest pause before a log is tried again whose compaction has failed several times."""


class CleanerLostError(Exception):
    """The process that compacts has ended, or never began; what it wrote is of no use."""


class Cleaner(Protocol):
    """Carries out one plan at a time, somewhere else."""

    async def compact(self, plan: CompactionPlan) -> CompactionResult:
        """Raises DamagedLogError for a log that cannot be read, OSError where the disk refuses,
        CleanerLostError."""
        ...

    def rest(self) -> None:
        """Nothing is to be done for now."""
        ...

    async def close(self) -> None:
        """End at once, whatever is under way: `compact` raises CleanerLostError."""
        ...


class CleaningProgress(msgspec.Struct, kw_only=True):
    """What compaction has done since the start; for metrics.

    `dirty_bytes` waited at the last look, in all partitions. `last` are the counts of the last run,
    `last_seconds` its duration. `uncleanable` partitions need a person.
    """

    runs: int = 0
    failures: int = 0
    dirty_bytes: int = 0
    dirty_ratio_max: float = 0.0
    uncleanable: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    records_read: int = 0
    records_kept: int = 0
    last: CompactionStats | None = None
    last_partition: str = ""
    last_seconds: float = 0.0

    @property
    def map_use(self) -> float:
        """The part of its memory for keys that the last run has used."""
        if self.last is None or not self.last.map_capacity:
            return 0.0
        return self.last.map_entries / self.last.map_capacity


class Retry(NamedTuple):
    """A log whose compaction has failed so often, and when it is tried again (monotonic)."""

    failures: int
    due_ms: int


class _Candidate(NamedTuple):
    partition: Partition
    found: Dirtiness


class _Crew:
    """The cleaners of one choice of settings, and the word that they are to go."""

    def __init__(self, cleaners: Sequence[Cleaner]) -> None:
        self.cleaners = cleaners
        self.leaving = asyncio.Event()


class Cleaning:
    """Compacts the filthiest log, one for each cleaner, and looks again after a pause."""

    def __init__(
        self,
        replicas: LocalReplicas,
        clock: Clock,
        cleaners: Sequence[Cleaner],
        *,
        memory: CompactionMemory,
        backoff_ms: int,
    ) -> None:
        """`memory` is what one run may take."""
        self._replicas = replicas
        self._clock = clock
        self._crew = _Crew(cleaners)
        self._memory = memory
        self._backoff_ms = backoff_ms
        self._stopping = asyncio.Event()
        self._tasks: dict[asyncio.Task[None], Cleaner] = {}
        self._busy: set[Partition] = set()
        self._uncleanable: set[Partition] = set()
        self._retries: dict[Partition, Retry] = {}
        # How often each log had been cut when its checkpoint was last known to be true.
        self._truncations: dict[Partition, int] = {}
        self.progress = CleaningProgress()

    def start(self) -> None:
        self._employ(self._crew)

    def change(
        self, cleaners: Sequence[Cleaner], *, memory: CompactionMemory, backoff_ms: int
    ) -> None:
        """Go on with other cleaners; those before them end after their present run."""
        self._memory = memory
        self._backoff_ms = backoff_ms
        self._crew.leaving.set()
        self._crew = _Crew(cleaners)
        if not self._stopping.is_set():
            self._employ(self._crew)

    def _employ(self, crew: _Crew) -> None:
        for cleaner in crew.cleaners:
            task = asyncio.create_task(self._work(cleaner, crew.leaving))
            self._tasks[task] = cleaner
            task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def stop(self) -> None:
        """End what is under way: a run is given up, a result that arrived is taken over."""
        self._stopping.set()
        self._crew.leaving.set()
        at_work = dict(self._tasks)
        for cleaner in at_work.values():
            await cleaner.close()
        await asyncio.gather(*at_work)

    async def _work(self, cleaner: Cleaner, leaving: asyncio.Event) -> None:
        while not leaving.is_set():
            if await self._attempt(cleaner):
                continue
            cleaner.rest()
            pause_ms = max(self._backoff_ms, CLEANER_PAUSE_MS_MIN)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leaving.wait(), pause_ms / 1000)
        await cleaner.close()

    async def _attempt(self, cleaner: Cleaner) -> bool:
        try:
            return await self.clean_filthiest(cleaner)
        except Exception:  # whatever it is, the broker can serve without compaction
            log.exception("a bug in compaction: please report it with this traceback")
            return False

    # -- choosing --------------------------------------------------------------------------------

    async def clean_filthiest(self, cleaner: Cleaner) -> bool:
        """Compact the log that needs it most; whether there was one."""
        chosen = await self._filthiest()
        if chosen is None or self._stopping.is_set():
            return False
        self._busy.add(chosen.partition)
        try:
            await self._clean(chosen.partition, chosen.found, cleaner)
        finally:
            self._busy.discard(chosen.partition)
        return True

    async def _filthiest(self) -> _Candidate | None:
        """Overdue ones first, then by their share of dirty bytes."""
        self._forget_gone()
        dirty_bytes, ratio_max = 0, 0.0
        best: _Candidate | None = None
        for partition in self._replicas:
            if not self._may_clean(partition):
                continue
            found = self._look_at(partition)
            if found is not None:
                dirty_bytes += found.dirty_bytes
                ratio_max = max(ratio_max, found.ratio)
                if self._is_due(partition, found) and (
                    best is None or _urgency(found) > _urgency(best.found)
                ):
                    best = _Candidate(partition, found)
            # A look may cost a read: the loop serves the others in between.
            await asyncio.sleep(0)
        self.progress.dirty_bytes, self.progress.dirty_ratio_max = dirty_bytes, ratio_max
        return best

    def _forget_gone(self) -> None:
        here = set(self._replicas)
        self._uncleanable &= here
        self.progress.uncleanable = len(self._uncleanable)
        for known in (self._retries, self._truncations):
            for gone in known.keys() - here:
                del known[gone]

    def _may_clean(self, partition: Partition) -> bool:
        return (
            partition.log.config.is_compacted
            and partition.leader is not None
            and partition.offline_reason is None
            and not partition.log.has_failed
            and partition not in self._busy
            and partition not in self._uncleanable
        )

    def _look_at(self, partition: Partition) -> Dirtiness | None:
        try:
            return dirtiness(
                partition.log,
                first_dirty_offset=self._first_dirty_offset(partition),
                end_offset=partition.last_stable_offset,
                now_ms=self._clock.now_ms(),
            )
        except (DamagedLogError, DamagedIndexError) as damage:
            self._give_up(partition, str(damage))
        except (OSError, StorageError) as error:
            self._put_off(partition, error)
        return None

    def _is_due(self, partition: Partition, found: Dirtiness) -> bool:
        retry = self._retries.get(partition)
        if retry is not None and self._clock.monotonic_ms() < retry.due_ms:
            return False
        return found.is_overdue or found.ratio > partition.log.config.dirty_ratio_min

    def _first_dirty_offset(self, partition: Partition) -> int:
        truncations = partition.log.truncations
        if self._truncations.setdefault(partition, truncations) != truncations:
            return partition.log.log_start_offset  # what was compacted may be gone
        return partition.directory.cleaner_offsets.get(partition.key, -1)

    # -- one run ---------------------------------------------------------------------------------

    async def _clean(self, partition: Partition, found: Dirtiness, cleaner: Cleaner) -> None:
        started_ms = self._clock.monotonic_ms()
        # What was flushed must not go for the sake of what was not.
        await partition.flushing.flush()
        plan = plan_compaction(
            partition.log,
            first_dirty_offset=found.first_dirty_offset,
            end_offset=found.end_offset,
            now_ms=self._clock.now_ms(),
            memory=self._memory,
        )
        if (
            plan is None
        ):  # the log was cut, or its settings changed, while the others were looked at
            return
        try:
            result = await cleaner.compact(plan)
            await self._take_over(partition, result)
        except StaleCompactionError as stale:
            await self._discard(partition, plan)
            log.info("a compaction is given up: %s", stale, extra={"partition": str(partition)})
        except DamagedLogError as damage:
            await self._discard(partition, plan)
            if _is_unchanged(partition, plan):
                self._give_up(partition, str(damage))
        except CleanerLostError as lost:
            await self._discard(partition, plan)
            if not self._stopping.is_set():
                self._put_off(partition, lost)
        except (OSError, StorageError) as error:
            await self._discard(partition, plan)
            if _is_unchanged(partition, plan):
                self._put_off(partition, error)
        else:
            self._retries.pop(partition, None)
            self._tell(partition, plan, result, self._clock.monotonic_ms() - started_ms)

    async def _take_over(self, partition: Partition, result: CompactionResult) -> None:
        """Let what was written take its place, and write down how far the log is compacted."""
        log_ = partition.log
        if partition.offline_reason is not None or log_.directory != result.directory:
            raise StaleCompactionError("the partition has left its folder")
        # What is on the disk must not give way to what only the page cache has.
        await partition.flushing.flush()
        swap = log_.swap_compacted(result)
        try:
            await self._swap(swap, result.directory, partition.directory)
        finally:
            due_ms = self._clock.monotonic_ms() + log_.config.file_delete_delay_ms
            self._replicas.removals.add_files(swap.retired, due_ms)
            # Closing them frees the space of large files: a thread has time for that.
            await asyncio.get_running_loop().run_in_executor(None, swap.held.clear)
        self._truncations[partition] = result.truncations
        await self._write_checkpoint(partition, result.first_dirty_offset)

    async def _swap(self, swap: Swap, folder: str, directory: LogDirectory) -> None:
        loop = asyncio.get_running_loop()
        steps = swap.steps()
        for _ in steps:
            try:
                await loop.run_in_executor(None, directory.disk.sync_dir, folder)
            except OSError as error:
                steps.throw(error)

    async def _write_checkpoint(self, partition: Partition, first_dirty_offset: int) -> None:
        directory, key = partition.directory, partition.key

        def write() -> None:
            with directory.checkpoints_lock:
                if partition.offline_reason is None:
                    here = {found.key for found in self._replicas if found.directory is directory}
                    known = directory.cleaner_offsets.items()
                    offsets = {found: offset for found, offset in known if found in here}
                    directory.write_cleaner_offsets({**offsets, key: first_dirty_offset})

        await asyncio.get_running_loop().run_in_executor(None, write)

    async def _discard(self, partition: Partition, plan: CompactionPlan) -> None:
        """Remove what a run has left behind that did not come to its end."""
        disk = partition.directory.disk

        def remove() -> None:
            for segment in plan.segments:
                remove_cleaned(disk, plan.directory, segment.base_offset)

        await asyncio.get_running_loop().run_in_executor(None, remove)

    # -- failing and telling ---------------------------------------------------------------------

    def _give_up(self, partition: Partition, reason: str) -> None:
        self._uncleanable.add(partition)
        self.progress.failures += 1
        self.progress.uncleanable = len(self._uncleanable)
        log.error(
            "a partition is no longer compacted, for its log is damaged; the others are: %s",
            reason,
            extra={"partition": str(partition)},
        )

    def _put_off(self, partition: Partition, error: Exception) -> None:
        failures = self._retries.get(partition, Retry(0, 0)).failures + 1
        pause_ms = min(max(self._backoff_ms, 1) << min(failures - 1, 20), RETRY_MS_MAX)
        self._retries[partition] = Retry(failures, self._clock.monotonic_ms() + pause_ms)
        self.progress.failures += 1
        partition.directory.suspect(error)
        log.warning(
            "a compaction failed, it will be tried again: %s",
            error,
            extra={"partition": str(partition), "retry_ms": pause_ms},
        )

    def _tell(
        self, partition: Partition, plan: CompactionPlan, result: CompactionResult, took_ms: int
    ) -> None:
        stats, progress = result.stats, self.progress
        progress.runs += 1
        progress.bytes_read += stats.bytes_read
        progress.bytes_written += stats.bytes_written
        progress.records_read += stats.records_read
        progress.records_kept += stats.records_kept
        progress.last, progress.last_partition = stats, str(partition)
        progress.last_seconds = took_ms / 1000
        log.info(
            "a partition is compacted",
            extra={
                "partition": str(partition),
                "first_dirty_offset": result.first_dirty_offset,
                "segments_replaced": sum(len(found.replaces) for found in result.segments),
                "segments": len(result.segments),
                "records": stats.records_read,
                "records_kept": stats.records_kept,
                "records_without_key": stats.records_without_key,
                "bytes_read": stats.bytes_indexed + stats.bytes_read,
                "bytes_written": stats.bytes_written,
                "map_use": f"{progress.map_use:.0%}",
                "left_dirty": plan.end_offset - result.first_dirty_offset,
                "took_ms": took_ms,
            },
        )


def _urgency(found: Dirtiness) -> tuple[bool, float]:
    return found.is_overdue, found.ratio


def _is_unchanged(partition: Partition, plan: CompactionPlan) -> bool:
    """Whether a failure can be the log's own: it was neither cut, deleted nor moved meanwhile."""
    return (
        partition.offline_reason is None
        and partition.log.directory == plan.directory
        and partition.log.truncations == plan.truncations
        and partition.log.segments[0].base_offset == plan.segments[0].base_offset
    )
