"""The first pass: which offset is the last of each key, in the part that is not compacted yet."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.base.world import Disk
from ottla.log.aborted_transactions import AbortedTransaction
from ottla.log.compaction.offset_map import OffsetMap
from ottla.log.compaction.plan import CompactionPlan
from ottla.log.compaction.result import CompactionStats
from ottla.log.compaction.source import Throttle, batches_of, block_of, damaged
from ottla.log.compaction.transactions import TransactionFates
from ottla.wire.records.header import CONTROL_BIT, BatchHeader
from ottla.wire.records.record import read_varint


class KeyIndex:
    """The map of a run, and `end_offset`: it knows every record between the first dirty one and
    that. Where the keys are too many for the map, it ends before the first that did not fit."""

    def __init__(self, plan: CompactionPlan) -> None:
        self._plan = plan
        memory = plan.memory
        self.map = OffsetMap(
            memory.map_bytes,
            memory.load_factor,
            keys_max=plan.end_offset - plan.first_dirty_offset,
        )
        self.end_offset = plan.first_dirty_offset

    def build(
        self,
        disk: Disk,
        aborted: list[AbortedTransaction],
        stats: CompactionStats,
        throttle: Throttle,
    ) -> None:
        """Read the dirty segments. Raises OSError and DamagedLogError."""
        start = self._plan.first_dirty_offset
        fates = TransactionFates(entry for entry in aborted if entry.last_offset >= start)
        for segment in self._plan.segments:
            if segment.next_offset <= start:
                continue
            stats.bytes_indexed += segment.size
            batches = batches_of(
                segment, self._plan.directory, disk, self._plan.memory.io_bytes // 2, throttle
            )
            for header, batch in batches:
                if header.last_offset >= start and not self._take(header, batch, fates, stats):
                    return
            self.end_offset = segment.next_offset

    def _take(
        self,
        header: BatchHeader,
        batch: memoryview,
        fates: TransactionFates,
        stats: CompactionStats,
    ) -> bool:
        """Note the keys of one batch; False where the map is full before its end."""
        stats.records_indexed += header.record_count
        if header.attributes & CONTROL_BIT:
            fates.is_marker_done(header, batch)
        elif not fates.is_aborted(header) and not self._note_keys(header, block_of(batch, header)):
            return False
        self.end_offset = header.next_offset
        return True

    def _note_keys(self, header: BatchHeader, block: bytes) -> bool:
        base_offset, start = header.base_offset, self._plan.first_dirty_offset
        key_map = self.map
        put, room = key_map.put, key_map.capacity - key_map.count
        is_tight = room < header.record_count
        position = 0
        try:
            for _ in range(header.record_count):
                length, body = read_varint(block, position)
                _, position = read_varint(block, body + 1)
                delta, position = read_varint(block, position)
                key_length, position = read_varint(block, position)
                if key_length >= 0 and base_offset + delta >= start:
                    if is_tight and key_map.is_full:
                        self.end_offset = base_offset + delta
                        return False
                    put(block[position : position + key_length], base_offset + delta)
                position = body + length
        except (IndexError, ProtocolError) as error:
            raise damaged(header, str(error)) from error
        return True
