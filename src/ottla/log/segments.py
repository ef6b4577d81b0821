"""The segments of one log as one sequence of offsets.

Raises OSError from the disk, and DamagedLogError or DamagedIndexError where files do not fit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from ottla.base.ids import Offset
from ottla.base.world import Disk
from ottla.log.recovery import remove_segment
from ottla.log.retention import Oldest, Reason, Released, retire_files
from ottla.log.segment import LogSlice, Place, Segment

IDLE_HOT_BATCHES_MAX: Final = 64
"""What a partition without appends keeps of its hot index: for the readers at its tail."""


class SegmentInfo(NamedTuple):
    """One segment, for those who decide about retention or report sizes."""

    base_offset: Offset
    next_offset: Offset
    size_bytes: int


class Appended(NamedTuple):
    """What a log has taken since it was opened; it never shrinks, whatever becomes of it."""

    bytes: int
    batches: int


class Segments:
    """At least one segment, oldest first; `active` is the last, the only one that is written."""

    __slots__ = ("_appended_before", "_bases", "_disk", "_items", "active", "directory")

    def __init__(self, directory: str, items: list[Segment], disk: Disk) -> None:
        assert items
        self.directory = directory
        self._disk = disk
        self._items = items
        self._bases = [segment.base_offset for segment in items]
        self.active = items[-1]
        # All but the content of the active segment, so that an append need not count.
        self._appended_before = Appended(-self.active.committed_size, -self.active.batches_tracked)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._items)

    @property
    def first_offset(self) -> int:
        return self._bases[0]

    @property
    def size_bytes(self) -> int:
        return sum(segment.committed_size for segment in self._items)

    @property
    def appended(self) -> Appended:
        before, active = self._appended_before, self.active
        return Appended(
            before.bytes + active.committed_size, before.batches + active.batches_tracked
        )

    def _activate(self, segment: Segment, appended: Appended) -> None:
        """Let it be the one that is written, after so much was appended in all."""
        self.active = segment
        self._appended_before = Appended(
            appended.bytes - segment.committed_size, appended.batches - segment.batches_tracked
        )

    def infos(self) -> list[SegmentInfo]:
        return [
            SegmentInfo(
                Offset(segment.base_offset), Offset(segment.next_offset), segment.committed_size
            )
            for segment in self._items
        ]

    # --- reading ---

    def slice(
        self, offset: int, max_bytes: int, end_offset: int, *, min_one_batch: bool
    ) -> LogSlice | None:
        """See `PartitionLog.read`; `offset` < `end_offset`, and both are within the log."""
        segment = self.active
        if offset >= segment.base_offset:
            place = segment.locate(offset)
        else:
            segment, place = self.locate(offset)
        if place is None:
            return None
        base_offset, position, size = place
        available = segment.position_of(end_offset) - position
        if available < size:  # the batch reaches behind end_offset
            return None
        if size > max_bytes:
            if not min_one_batch:
                return None
            max_bytes = size
        return LogSlice(segment.log.get(), position, min(available, max_bytes), base_offset)

    def locate(self, offset: int) -> tuple[Segment, Place | None]:
        """The first batch that ends behind `offset`; compaction may have put it further on."""
        for segment in self._items[self._index_of(offset) :]:
            place = segment.locate(offset)
            if place is not None:
                return segment, place
        return self.active, None

    def bytes_between(self, offset: int, end_offset: int) -> int:
        """All batches from the one that holds `offset` to the one that holds `end_offset`."""
        active = self.active
        if offset >= active.base_offset:
            return active.position_of(end_offset) - active.position_of(offset)
        first = self._index_of(offset)
        last = self._index_of(end_offset)
        whole = sum(segment.committed_size for segment in self._items[first:last])
        after = self._items[last].position_of(end_offset)
        return whole + after - self._items[first].position_of(offset)

    def _index_of(self, offset: int) -> int:
        return max(bisect_right(self._bases, offset) - 1, 0)

    # --- changing ---

    def add(self, segment: Segment) -> None:
        """Let this one be the active segment; the one before is sealed already."""
        # Readers just behind the roll still find their places: the hot index of the segment
        # before stays until the next roll, or until the partition is idle.
        if len(self._items) > 1:
            self._items[-2].trim_hot(0)
        self._items.append(segment)
        self._bases.append(segment.base_offset)
        self._appended_before = self.appended  # what is in the new one was appended, too
        self.active = segment

    def trim_idle(self) -> None:
        """Give back the memory that only a busy partition needs."""
        for segment in self._items[-2:]:
            segment.trim_hot(IDLE_HOT_BATCHES_MAX if segment is self.active else 0)

    def oldest(self) -> Oldest:
        """The first segment, as retention looks at it."""
        segment = self._items[0]
        return Oldest(
            segment.next_offset if len(self._items) == 1 else self._bases[1],
            segment.committed_size,
            is_active=segment is self.active,
            youngest_ms=lambda: self.youngest_ms(segment),
        )

    def youngest_ms(self, segment: Segment) -> int:
        """Its largest timestamp or, without any, when its file was last written."""
        timestamp, _ = segment.largest_timestamp()
        return timestamp if timestamp >= 0 else self._disk.modified_ms(segment.log.path)

    def retire_oldest(self, reason: Reason) -> Released:
        """Take the first segment out, and its files out of the way."""
        assert len(self._items) > 1, "the active segment stays"
        oldest = self._items[0]
        paths = retire_files(self._disk, self.directory, oldest.base_offset)
        del self._items[0], self._bases[0]
        oldest.release()
        return Released(reason, oldest.base_offset, self.first_offset, oldest.committed_size, paths)

    def replace(self, count: int, segment: Segment) -> None:
        """Let a compacted segment take the place of `count` closed ones, from its own base on."""
        first = self._bases.index(segment.base_offset)
        assert first + count < len(self._items), "the active segment stays"
        for replaced in self._items[first : first + count]:
            replaced.release()
        self._items[first : first + count] = [segment]
        self._bases[first : first + count] = [segment.base_offset]

    def truncate(self, next_offset: int) -> None:
        """See `PartitionLog.truncate_to`; `next_offset` is not below the first segment."""
        appended = self.appended
        while self.active.base_offset > next_offset:
            last = self._items.pop()
            self._bases.pop()
            self.active = self._items[-1]
            last.release()
            remove_segment(self._disk, self.directory, last.base_offset)
            if self.active.base_offset <= next_offset:
                self.active.resume()
        place = self.active.locate(next_offset)
        if place is not None:
            self.active.cut(place)
        self._activate(self.active, appended)

    def replace_all(self, segment: Segment) -> None:
        """Remove every segment, the newest first, and begin anew with this one."""
        appended = self.appended
        while self._items:
            last = self._items.pop()
            last.release()
            remove_segment(self._disk, self.directory, last.base_offset)
        segment.log.create()
        self._items = [segment]
        self._bases = [segment.base_offset]
        self._activate(segment, appended)

    def release(self) -> None:
        for segment in self._items:
            segment.release()
