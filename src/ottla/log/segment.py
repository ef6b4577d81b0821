"""One segment of a partition: a log file, its two indexes, and what is known of its tail.

Batches are first placed (`track`) in memory and written later (`write`); between the two the log
may still forget them (`forget_staged`). A segment does not know its neighbours, and never rolls.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Final, NamedTuple, TypeVar

import msgspec

from ottla.base import limits
from ottla.base.world import File
from ottla.log.config import LogConfig
from ottla.log.index_file import PENDING_BYTES_MAX, DamagedIndexError
from ottla.log.names import LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, segment_stem
from ottla.log.offset_index import ENTRY_SIZE as OFFSET_ENTRY_SIZE
from ottla.log.offset_index import OffsetIndex
from ottla.log.open_files import OpenFiles, PooledFile
from ottla.log.scan import OFFSETS_PER_FILE_MAX, DamagedLogError, Placed, surveys, walk
from ottla.log.time_index import ENTRY_SIZE as TIME_ENTRY_SIZE
from ottla.log.time_index import TimeIndex
from ottla.wire.records.survey import Survey

NEVER: Final = 1 << 63
"""A timestamp that no batch reaches."""

BEFORE_ALL: Final = -2
"""A timestamp that every batch exceeds, also one without timestamps (-1)."""

OFFSETS_PER_SEGMENT_MAX: Final = OFFSETS_PER_FILE_MAX

_HOT_SLACK: Final = limits.HOT_INDEX_BATCHES_MAX // 4
"""The hot index is cut this seldom, so that the cutting costs next to nothing per batch."""

Result = TypeVar("Result")


class LogSlice(msgspec.Struct, frozen=True, gc=False):
    """A region of one log file: whole batches, of which only the last may be cut.

    It keeps its file open, whatever becomes of the segment; its `len()` is its length in bytes.
    """

    file: File
    position: int
    length: int
    base_offset: int

    def __len__(self) -> int:
        return self.length


class Place(NamedTuple):
    """Where a batch lies in its segment."""

    base_offset: int
    position: int
    size: int


class Segment:
    """Offsets from `base_offset` to `next_offset`, in `size` bytes, staged batches included.

    `max_timestamp` and `max_timestamp_offset` (the last offset of its batch) are -1 where no batch
    has one, and in an older segment until `largest_timestamp` has looked.
    """

    __slots__ = (
        "_bytes_since_index",
        "_committed_max",
        "_hot_bases",
        "_hot_nexts",
        "_hot_positions",
        "_index_bytes_max",
        "_index_interval_bytes",
        "base_offset",
        "batches_trimmed",
        "buffers",
        "committed_size",
        "first_timestamp",
        "log",
        "max_timestamp",
        "max_timestamp_offset",
        "next_offset",
        "offset_limit",
        "offsets",
        "opened_ms",
        "roll_after_timestamp",
        "size",
        "times",
    )

    def __init__(
        self, directory: str, base_offset: int, config: LogConfig, files: OpenFiles, *, fresh: bool
    ) -> None:
        """`fresh`: the indexes begin empty, whatever the folder holds of them."""
        stem = f"{directory}/{segment_stem(base_offset)}"
        self.base_offset = base_offset
        self.log = PooledFile(files, stem + LOG_SUFFIX)
        self.offsets = OffsetIndex(
            PooledFile(files, stem + OFFSET_INDEX_SUFFIX), base_offset, fresh=fresh
        )
        self.times = TimeIndex(
            PooledFile(files, stem + TIME_INDEX_SUFFIX), base_offset, fresh=fresh
        )
        self.buffers: list[memoryview] = []
        self.configure(config)
        self._forget_content()

    def configure(self, config: LogConfig) -> None:
        """Follow changed settings from the next batch on."""
        self._index_interval_bytes = config.index_interval_bytes
        self._index_bytes_max = config.segment_index_bytes
        self.roll_after_timestamp = BEFORE_ALL

    def _forget_content(self) -> None:
        self.size = 0
        self.committed_size = 0
        self.next_offset = self.base_offset
        self.offset_limit = self.base_offset + OFFSETS_PER_SEGMENT_MAX
        self.first_timestamp = -1
        self.max_timestamp = -1
        self.max_timestamp_offset = -1
        self.opened_ms = -1
        self.roll_after_timestamp = BEFORE_ALL
        self._committed_max = (-1, -1)
        self._bytes_since_index = 0
        self._hot_bases = array("q")
        self._hot_nexts = array("q")
        self._hot_positions = array("q")
        self.batches_trimmed = 0

    @property
    def batches_tracked(self) -> int:
        """Batches that passed through the hot index, also those that it has forgotten since."""
        return self.batches_trimmed + len(self._hot_bases)

    # --- appending ---

    def track(self, base_offset: int, next_offset: int, size: int, max_timestamp: int) -> None:
        """Note a batch at the end: in the hot index, every few KiB in the sparse ones."""
        position = self.size
        self._hot_bases.append(base_offset)
        self._hot_nexts.append(next_offset)
        self._hot_positions.append(position)
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
            self.max_timestamp_offset = next_offset - 1
        if self._bytes_since_index > self._index_interval_bytes:
            self._index(next_offset - 1, position)
        self._bytes_since_index += size
        self.size = position + size
        self.next_offset = next_offset

    def _index(self, last_offset: int, position: int) -> None:
        self.offsets.add_batch(last_offset, position)
        self.times.add_if_later(self.max_timestamp, self.max_timestamp_offset)
        self._bytes_since_index = 0
        offsets_full = (self.offsets.count + 1) * OFFSET_ENTRY_SIZE > self._index_bytes_max
        # The time index needs room for one more: the entry of the day when the segment is sealed.
        times_full = (self.times.count + 2) * TIME_ENTRY_SIZE > self._index_bytes_max
        if offsets_full or times_full:
            self.offset_limit = last_offset + 1

    def write(self) -> None:
        """Append what was tracked since the last time. On OSError nothing of it is committed."""
        file = self.log.get()
        if file.size != self.committed_size:
            self.cut_leftovers()
        file.append(self.buffers)
        self.buffers.clear()
        self.committed_size = self.size
        self._committed_max = (self.max_timestamp, self.max_timestamp_offset)
        if len(self._hot_nexts) > limits.HOT_INDEX_BATCHES_MAX + _HOT_SLACK:
            self.trim_hot(limits.HOT_INDEX_BATCHES_MAX)

    def cut_leftovers(self) -> None:
        """Undo what an append that failed has left in the file, and could not undo itself."""
        file = self.log.get()
        if file.size != self.committed_size:
            file.truncate(self.committed_size)

    def sync_if_open(self) -> None:
        """Make a cut last; a file that could not even be opened was not written to."""
        if (file := self.log.file) is not None:
            file.sync()

    def forget_staged(self) -> None:
        """Drop the batches that were tracked and not written; never touches the disk."""
        self.buffers.clear()
        if self.size == self.committed_size:
            return
        first = bisect_left(self._hot_positions, self.committed_size)
        next_offset = self._hot_bases[first]
        self._cut_hot(first)
        self.offsets.drop_pending(next_offset)
        self.times.drop_pending(next_offset)
        self.max_timestamp, self.max_timestamp_offset = self._committed_max
        self.size = self.committed_size
        self.next_offset = self._hot_nexts[first - 1] if first else next_offset
        self._bytes_since_index = 0  # the next index entry comes a little late
        if not self.size:
            self.first_timestamp = self.opened_ms = -1
        self.roll_after_timestamp = BEFORE_ALL

    def _cut_hot(self, count: int) -> None:
        del self._hot_bases[count:]
        del self._hot_nexts[count:]
        del self._hot_positions[count:]

    def trim_hot(self, batches_max: int) -> None:
        """Forget the exact places of all but the last batches."""
        surplus = len(self._hot_nexts) - batches_max
        if surplus > 0:
            self.batches_trimmed += surplus
            del self._hot_bases[:surplus]
            del self._hot_nexts[:surplus]
            del self._hot_positions[:surplus]

    # --- finding: OSError from the disk, DamagedLogError where no batch is where one should be ---

    def locate(self, offset: int) -> Place | None:
        """The first batch that ends behind `offset`; None where all end before it."""
        nexts = self._hot_nexts
        if nexts and offset >= self._hot_bases[0]:
            index = bisect_right(nexts, offset)
            if index == len(nexts):
                return None
            position = self._hot_positions[index]
            after = index + 1
            end = self._hot_positions[after] if after < len(nexts) else self.size
            return Place(self._hot_bases[index], position, end - position)
        return self._with_indexes(lambda: self._locate_cold(offset))

    def _locate_cold(self, offset: int) -> Place | None:
        for position, header in self._walk_from(self.offsets.batch_before(offset)):
            if header.next_offset > offset:
                return Place(header.base_offset, position, header.size)
        return None

    def _walk_from(self, indexed: tuple[int, int] | None) -> Iterator[Placed]:
        """Batches from an indexed one on, or from the first; checks that the entry is true."""
        if indexed is None:
            return walk(self.log.get(), 0, self.committed_size)
        last_offset, position = indexed
        if position >= self.committed_size:
            raise DamagedIndexError(f"{self.offsets.path} points behind its log: {position}")
        batches = walk(self.log.get(), position, self.committed_size)
        first = next(batches)
        if first.header.last_offset != last_offset:
            raise DamagedIndexError(f"{self.offsets.path} names the wrong batch at {position}")
        return chain((first,), batches)

    def position_of(self, end_offset: int) -> int:
        """Where the first batch begins that ends behind `end_offset`; the end where none does."""
        if end_offset >= self.next_offset:
            return self.committed_size
        place = self.locate(end_offset)
        return place.position if place else self.committed_size

    def batches_from_timestamp(self, timestamp: int) -> Iterator[Placed]:
        """Batches in order, without any before the first that reaches `timestamp` missing."""
        return self._with_indexes(
            lambda: self._walk_from(self.offsets.batch_before(self.times.offset_before(timestamp)))
        )

    def largest_timestamp(self) -> tuple[int, int]:
        """(timestamp, last offset of its batch); (-1, -1) where there is none."""
        if self.max_timestamp < 0 and self.committed_size:
            largest = self._with_indexes(self._largest_sealed)
            self.max_timestamp, self.max_timestamp_offset = largest
        return self.max_timestamp, self.max_timestamp_offset

    def _largest_sealed(self) -> tuple[int, int]:
        """Of a segment that was closed: it has an entry, unless its records have no time."""
        largest = self._largest_indexed()
        if largest[0] < 0 and self._begins_with_time():
            raise DamagedIndexError(f"{self.times.path} is empty")
        return largest

    def _begins_with_time(self) -> bool:
        batches = walk(self.log.get(), 0, self.committed_size)
        return any(first.header.max_timestamp >= 0 for first in islice(batches, 1))

    def _largest_indexed(self) -> tuple[int, int]:
        largest = self.times.largest()
        if largest is None:
            return -1, -1
        timestamp, offset = largest
        if timestamp < 0 or not self.base_offset <= offset < self.next_offset:
            raise DamagedIndexError(f"{self.times.path} points out of its log: {largest}")
        count = self.times.count
        if count > 1 and self.times.entry(count - 2)[0] >= timestamp:  # zeros, as a rule
            raise DamagedIndexError(f"{self.times.path} does not grow")
        return timestamp, offset

    def check_indexes(self) -> None:
        """Make sure that both indexes are there and look like indexes."""
        self._with_indexes(lambda: (self.offsets.count, self.times.count))

    def _with_indexes(self, find: Callable[[], Result]) -> Result:
        """Once more after writing the indexes anew, if they turn out to be missing or wrong."""
        try:
            return find()
        except (DamagedIndexError, DamagedLogError):
            self.reindex()
            return find()

    # --- opening, rebuilding, cutting ---

    def load_sealed(self, next_offset: int) -> None:
        """Take over an older segment as it is; its indexes are looked at when they are needed."""
        self.next_offset = next_offset
        self.size = self.committed_size = self.log.get().size
        self.log.release()

    def load_tail(self) -> None:
        """Take over the last segment of a log: read what follows its last index entry.

        Raises DamagedIndexError or DamagedLogError where the files do not fit each other.
        """
        self._resume(self.log.get().size)

    def resume(self) -> None:
        """Take batches again, after having been sealed: the segments behind it are gone."""
        try:
            self.load_tail()
        except (DamagedIndexError, DamagedLogError):
            self.size = self.committed_size
            self.reindex()
            self.load_tail()

    def _resume(self, end: int) -> None:
        """Know the tail again from the indexes and the batches behind them, up to `end`."""
        indexed = self.offsets.last_batch()
        largest = self.times.largest() or (-1, -1)
        self._forget_content()
        self.committed_size = end
        if indexed:
            self.size = indexed[1]
            for first in islice(walk(self.log.get(), 0, end), 1):
                self.first_timestamp = first.header.max_timestamp
        self.max_timestamp, self.max_timestamp_offset = largest
        for placed in self._walk_from(indexed):
            self._track(placed)
        self._largest_indexed()
        self._committed_max = (self.max_timestamp, self.max_timestamp_offset)

    def rebuild(self, note: Callable[[Survey], None]) -> None:
        """Read the whole log file, cut it where it is no longer valid, and make new indexes.

        `note` gets all that is found in it, piece by piece.
        """
        self.offsets.reset()
        self.times.reset()
        self._forget_content()
        file = self.log.get()
        for found in surveys(file, self.base_offset):
            self._track_survey(found)
            note(found)
        if file.size != self.size:
            file.truncate(self.size)
            file.sync()  # or the next crash brings it back, behind a recovery point
        self.committed_size = self.size
        self._committed_max = (self.max_timestamp, self.max_timestamp_offset)

    def _track_survey(self, found: Survey) -> None:
        """What `track` does for each batch, at the cost of one step for each index entry."""
        positions, first = found.positions, 0
        if not self.size:
            self.first_timestamp = found.max_timestamps[0]
        counted_from = self.size - self._bytes_since_index
        while True:
            indexed = bisect_right(positions, counted_from + self._index_interval_bytes, lo=first)
            self._note_largest(found, first, indexed + 1)
            if indexed == len(found):
                break
            self._index(found.nexts[indexed] - 1, positions[indexed])
            counted_from, first = positions[indexed], indexed + 1
        self.size += found.size
        self.next_offset = found.nexts[-1]
        self._bytes_since_index = self.size - counted_from
        self._hot_bases.extend(found.bases)
        self._hot_nexts.extend(found.nexts)
        self._hot_positions.extend(positions)
        self.trim_hot(limits.HOT_INDEX_BATCHES_MAX)

    def _note_largest(self, found: Survey, first: int, end: int) -> None:
        timestamps = found.max_timestamps[first:end]
        if timestamps and (largest := max(timestamps)) > self.max_timestamp:
            self.max_timestamp = largest
            self.max_timestamp_offset = found.nexts[first + timestamps.index(largest)] - 1

    def reindex(self) -> None:
        """Write both indexes anew from the headers of the batches; the log file stays as it is.

        Raises DamagedLogError where the log is broken: cutting it is not for a reader to decide.
        """
        self.offsets.reset()
        self.times.reset()
        size, next_offset, largest = self.size, self.next_offset, self._committed_max
        hot = self._hot_bases, self._hot_nexts, self._hot_positions
        trimmed = self.batches_trimmed
        staged = size != self.committed_size
        if staged:
            largest = self.max_timestamp, self.max_timestamp_offset
        self._hot_bases, self._hot_nexts, self._hot_positions = array("q"), array("q"), array("q")
        self.size, self._bytes_since_index = 0, 0
        self.max_timestamp = self.max_timestamp_offset = -1
        try:
            for placed in walk(self.log.get(), 0, self.committed_size):
                self._track(placed)
            self.seal()
            # Below the recovery point nobody would look again at what a crash tears.
            self.offsets.file.get().sync()
            self.times.file.get().sync()
            self._committed_max = (self.max_timestamp, self.max_timestamp_offset)
        finally:
            self.size, self.next_offset = size, next_offset
            self._hot_bases, self._hot_nexts, self._hot_positions = hot
            self.batches_trimmed = trimmed
            if staged:
                self.max_timestamp, self.max_timestamp_offset = largest

    def _track(self, placed: Placed) -> None:
        header = placed.header
        if not self.size:
            self.first_timestamp = header.max_timestamp
        self.track(header.base_offset, header.next_offset, header.size, header.max_timestamp)
        if len(self._hot_nexts) > limits.HOT_INDEX_BATCHES_MAX + _HOT_SLACK:
            self.trim_hot(limits.HOT_INDEX_BATCHES_MAX)

    def cut(self, first_dropped: Place) -> None:
        """Drop a batch and all that follow, from memory, indexes and the file; durably."""
        self.offsets.keep_before(first_dropped.base_offset)
        self.times.keep_before(first_dropped.base_offset)
        file = self.log.get()
        file.truncate(first_dropped.position)
        file.sync()
        self._resume(first_dropped.position)

    # --- closing ---

    def seal(self) -> None:
        """Write the indexes; the time index ends with the largest timestamp."""
        self.cut_leftovers()
        if self.max_timestamp >= 0:
            self.times.add_if_later(self.max_timestamp, self.max_timestamp_offset)
        self.write_indexes()

    def write_indexes(self) -> None:
        self.offsets.write()
        self.times.write()

    def write_indexes_if_long(self) -> None:
        """Keep the index entries in memory few, also in a segment that lives for long."""
        if self.offsets.pending_bytes >= PENDING_BYTES_MAX:
            self.write_indexes()

    def release(self) -> None:
        """Let go of all files; they open again when they are needed."""
        self.log.release()
        self.offsets.release()
        self.times.release()
