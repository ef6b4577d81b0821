"""A run of compaction: index the keys, then write each segment anew without what they replaced.

Reads closed segments, writes `.cleaned` files, touches nothing else. It never waits for itself:
`throttle` is told of every read and write.
"""

from __future__ import annotations

from ottla.base.world import Disk
from ottla.log.compaction.cleaned_segment import CleanedFiles, remove_cleaned
from ottla.log.compaction.indexing import KeyIndex
from ottla.log.compaction.plan import CompactionPlan, SourceSegment
from ottla.log.compaction.record_filter import emptied, filter_records, rewrite
from ottla.log.compaction.result import CleanedSegment, CompactionResult, CompactionStats
from ottla.log.compaction.source import Throttle, batches_of, block_of
from ottla.log.compaction.transactions import TransactionFates
from ottla.log.names import CLEANED_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, segment_stem
from ottla.log.segment import OFFSETS_PER_SEGMENT_MAX
from ottla.wire.records.header import CONTROL_BIT, BatchHeader, read_header


def compact(plan: CompactionPlan, disk: Disk, *, throttle: Throttle) -> CompactionResult:
    """Carry out an order; `PartitionLog.replace_compacted` takes over what it returns.

    Raises OSError, and DamagedLogError or DamagedIndexError for a log that cannot be read; then
    nothing of it is left.
    """
    return _Run(plan, disk, throttle).run()


class _Run:
    def __init__(self, plan: CompactionPlan, disk: Disk, throttle: Throttle) -> None:
        self._plan = plan
        self._disk = disk
        self._throttle = throttle
        self._stats = CompactionStats()
        self._index = KeyIndex(plan)
        self._fates = TransactionFates(())
        self._producers = {
            producer_id: (last_offset, epoch) for producer_id, last_offset, epoch in plan.producers
        }
        self._written: list[CleanedSegment] = []
        # The output that is being written, and what it takes the place of.
        self._output: CleanedFiles | None = None
        self._replaces: list[SourceSegment] = []
        self._changes = 0
        # The last batch of a segment, where it has gone: it comes back where an output ends.
        self._last_gone: BatchHeader | None = None

    def run(self) -> CompactionResult:
        try:
            self._remove_leftovers()
            aborted = self._plan.aborted
            self._index.build(self._disk, aborted, self._stats, self._throttle)
            self._fates = TransactionFates(aborted)
            for segment in self._plan.segments:
                if segment.base_offset < self._index.end_offset:
                    self._clean(segment)
            self._end_output()
            if self._written:
                self._disk.sync_dir(self._plan.directory)
        except BaseException:
            self._undo()
            raise
        return self._result()

    def _remove_leftovers(self) -> None:
        """Of a run that was killed: they would make unfinished what this one finishes."""
        for name in self._disk.list_dir(self._plan.directory):
            if name.endswith(CLEANED_SUFFIX):
                self._disk.unlink(f"{self._plan.directory}/{name}")

    def _result(self) -> CompactionResult:
        key_map = self._index.map
        self._stats.map_entries = key_map.count
        self._stats.map_capacity = key_map.capacity
        self._stats.map_bytes = key_map.memory_bytes
        return CompactionResult(
            directory=self._plan.directory,
            truncations=self._plan.truncations,
            segments=self._written,
            first_dirty_offset=self._index.end_offset,
            stats=self._stats,
        )

    # --- one segment ---

    def _clean(self, segment: SourceSegment) -> None:
        output = self._output_for(segment)
        self._replaces.append(segment)
        self._stats.bytes_read += segment.size
        chunk_bytes = self._plan.memory.io_bytes // 2
        batches = batches_of(segment, self._plan.directory, self._disk, chunk_bytes, self._throttle)
        for header, batch in batches:
            cleaned = self._clean_batch(header, batch)
            if cleaned is None:
                self._changes += 1
                self._last_gone = header
                continue
            self._last_gone = None
            if cleaned is batch:
                output.add(header, bytes(batch))
            else:
                self._changes += 1
                self._stats.batches_rewritten += 1
                output.add(read_header(cleaned), cleaned)

    def _clean_batch(self, header: BatchHeader, batch: memoryview) -> memoryview | bytearray | None:
        """The batch as it stays: itself where it loses nothing, None where all of it goes."""
        self._stats.records_read += header.record_count
        if header.attributes & CONTROL_BIT:
            cleaned = self._clean_marker(header, batch)
        elif self._fates.is_aborted(header):
            cleaned = None
        elif header.base_offset >= self._index.end_offset:
            self._stats.records_kept += header.record_count
            cleaned = batch
        else:
            cleaned = self._clean_records(header, batch)
        if cleaned is None and self._is_last_of_producer(header):
            return batch if not header.record_count else emptied(header)
        return cleaned

    def _clean_records(
        self, header: BatchHeader, batch: memoryview
    ) -> memoryview | bytearray | None:
        horizon_ms = header.delete_horizon_ms
        kept = filter_records(
            block_of(batch, header),
            header,
            self._index.map,
            self._index.end_offset,
            drops_tombstones=horizon_ms is not None and horizon_ms <= self._plan.now_ms,
        )
        self._stats.records_kept += kept.record_count
        self._stats.records_without_key += kept.without_key
        if not kept.record_count:
            return None
        gets_horizon = kept.has_tombstone and horizon_ms is None
        if kept.record_count == header.record_count and not gets_horizon:
            return batch
        return rewrite(header, kept, horizon_ms=self._new_horizon_ms if gets_horizon else None)

    def _clean_marker(
        self, header: BatchHeader, batch: memoryview
    ) -> memoryview | bytearray | None:
        """A marker stays while its transaction has records, and then until its horizon."""
        if not self._fates.is_marker_done(header, batch):
            return batch
        horizon_ms = header.delete_horizon_ms
        if horizon_ms is not None:
            return batch if horizon_ms > self._plan.now_ms else None
        if not header.record_count:
            return None
        everything = filter_records(
            block_of(batch, header), header, self._index.map, 0, drops_tombstones=False
        )
        return rewrite(header, everything, horizon_ms=self._new_horizon_ms)

    @property
    def _new_horizon_ms(self) -> int:
        return self._plan.now_ms + self._plan.delete_retention_ms

    def _is_last_of_producer(self, header: BatchHeader) -> bool:
        """Whether the batch says what its producer's last sequence was, or its epoch."""
        if header.producer_id < 0 or header.producer_id not in self._producers:
            return False
        last_offset, epoch = self._producers[header.producer_id]
        if last_offset >= 0:
            return header.last_offset == last_offset
        return header.is_control and header.producer_epoch == epoch

    # --- outputs ---

    def _output_for(self, segment: SourceSegment) -> CleanedFiles:
        """The output that a segment goes to: the one before it, where both have room in one."""
        output = self._output
        if output is not None and self._fits(output, segment):
            return output
        self._end_output()
        output = self._output = CleanedFiles(
            self._plan.directory,
            segment.base_offset,
            self._disk,
            index_interval_bytes=self._plan.index_interval_bytes,
            buffer_bytes=self._plan.memory.io_bytes // 2,
            throttle=self._throttle,
        )
        return output

    def _fits(self, output: CleanedFiles, segment: SourceSegment) -> bool:
        plan = self._plan
        stem = f"{plan.directory}/{segment_stem(segment.base_offset)}"
        index_bytes = max(
            self._size_of(stem + OFFSET_INDEX_SUFFIX), self._size_of(stem + TIME_INDEX_SUFFIX)
        )
        return (
            output.size + segment.size <= plan.segment_bytes
            and output.index_bytes + index_bytes <= plan.segment_index_bytes
            and segment.next_offset - output.base_offset <= OFFSETS_PER_SEGMENT_MAX
        )

    def _size_of(self, path: str) -> int:
        if not self._disk.exists(path):
            return 0
        file = self._disk.open(path)
        try:
            return file.size
        finally:
            file.close()

    def _end_output(self) -> None:
        """Finish what is being written; a segment that lost nothing stays as it is."""
        output, self._output = self._output, None
        if output is None:
            return
        replaces, self._replaces = self._replaces, []
        aborted, self._fates.still_needed = self._fates.still_needed, []
        changes, self._changes = self._changes, 0
        last_gone, self._last_gone = self._last_gone, None
        if last_gone is not None and not last_gone.record_count:
            changes -= 1  # it was empty, and comes back as it was
        if not changes and len(replaces) == 1:
            output.close()
            remove_cleaned(self._disk, self._plan.directory, output.base_offset)
            return
        if last_gone is not None:
            # Where a segment ends must be told by its own last batch (`log.leftovers`, recovery).
            output.add(last_gone, emptied(last_gone))
        try:
            output.finish(aborted)
        finally:
            output.close()
        self._stats.bytes_written += output.size
        self._written.append(
            CleanedSegment(
                base_offset=output.base_offset,
                next_offset=replaces[-1].next_offset,
                size=output.size,
                replaces=replaces,
                has_aborted=bool(aborted),
            )
        )

    def _undo(self) -> None:
        bases = [cleaned.base_offset for cleaned in self._written]
        if self._output is not None:
            self._output.close()
            bases.append(self._output.base_offset)
        for base_offset in bases:
            remove_cleaned(self._disk, self._plan.directory, base_offset)
