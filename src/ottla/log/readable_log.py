"""The reading half of a partition's log: what it holds, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ottla.base.ids import LeaderEpoch, Offset
from ottla.log import timestamps
from ottla.log.aborted_transactions import AbortedTransaction
from ottla.log.epoch_file import EpochFile
from ottla.log.errors import OffsetOutOfRangeError, StorageError, storage_error
from ottla.log.index_file import DamagedIndexError
from ottla.log.partition_producers import PartitionProducers
from ottla.log.scan import DamagedLogError
from ottla.log.segment import LogSlice, Segment
from ottla.log.segments import Appended, SegmentInfo, Segments
from ottla.log.timestamps import TimestampedOffset

Result = TypeVar("Result")


class ReadableLog:
    """What readers may ask of a log; changes nothing but what indexes heal by themselves.

    Every method may raise StorageError.
    """

    __slots__ = (
        "_epochs",
        "_failure",
        "_segments",
        "directory",
        "log_end_offset",
        "log_start_offset",
        "producers",
    )

    _epochs: EpochFile
    _failure: StorageError | None
    _segments: Segments
    directory: str
    log_end_offset: Offset
    log_start_offset: Offset
    producers: PartitionProducers

    # --- what it holds ---

    @property
    def has_failed(self) -> bool:
        """Whether nobody knows what the disk has kept: then it takes no more batches."""
        return self._failure is not None

    @property
    def last_epoch(self) -> LeaderEpoch:
        """-1 where no batch has one and no leader has begun."""
        return LeaderEpoch(self._epochs.last)

    @property
    def size_bytes(self) -> int:
        """All log files together, without indexes."""
        return self._segments.size_bytes

    @property
    def appended(self) -> Appended:
        """What it has taken since it was opened."""
        return self._segments.appended

    @property
    def segments(self) -> list[SegmentInfo]:
        """From the oldest; the last is the one that is written to."""
        return self._segments.infos()

    @property
    def parts(self) -> list[Segment]:
        """The segments themselves, from the oldest: to be looked at and copied, never changed."""
        return list(self._segments)

    @property
    def epochs(self) -> list[tuple[int, int]]:
        """(leader epoch, its first offset), as in the checkpoint."""
        return self._epochs.history.entries()

    # --- reading ---

    def read(
        self, offset: int, max_bytes: int, *, end_offset: int, min_one_batch: bool
    ) -> LogSlice | None:
        """Batches from the one that holds `offset`, never any that reaches behind `end_offset`.

        At most `max_bytes`, but with `min_one_batch` at least one whole batch; the last may be cut.
        A slice never crosses a segment. None where nothing is to be had (yet), or where the first
        batch exceeds `max_bytes` without `min_one_batch`. Raises OffsetOutOfRangeError.
        """
        log_end_offset = self.log_end_offset
        if not self.log_start_offset <= offset <= log_end_offset:
            raise OffsetOutOfRangeError(offset, self.log_start_offset, log_end_offset)
        if end_offset > log_end_offset:
            end_offset = log_end_offset
        if offset >= end_offset:
            return None
        try:
            return self._segments.slice(offset, max_bytes, end_offset, min_one_batch=min_one_batch)
        except (OSError, DamagedLogError, DamagedIndexError) as error:
            raise storage_error("read", self.directory, error) from error

    def available_bytes(self, offset: int, end_offset: int) -> int:
        """How much a read from `offset` to `end_offset` would find, over all segments."""
        offset = max(offset, self.log_start_offset)
        end_offset = min(end_offset, self.log_end_offset)
        if offset >= end_offset:
            return 0
        return self._checked("read", lambda: self._segments.bytes_between(offset, end_offset))

    def offset_for_timestamp(self, timestamp: int) -> TimestampedOffset | None:
        """The first record, not below the log start, with at least this timestamp (KIP-79)."""
        return self._checked(
            "read",
            lambda: timestamps.first_from(list(self._segments), timestamp, self.log_start_offset),
        )

    def max_timestamp(self) -> TimestampedOffset | None:
        """The first record with the largest timestamp; None where none has one (KIP-734)."""
        return self._checked("read", lambda: timestamps.largest(list(self._segments)))

    # --- transactions ---

    def last_stable_offset(self, high_watermark: Offset) -> Offset:
        """Where the oldest transaction begins that is open below it; or the high watermark.

        Never below the log start: what a transaction wrote may be gone before its end.
        """
        stable = self.producers.states.last_stable_offset(high_watermark)
        return Offset(max(stable, self.log_start_offset))

    def aborted_transactions(self, offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Those that have records in [offset, end_offset), and perhaps a few that begin later."""
        return self._checked("read", lambda: self.producers.aborted.between(offset, end_offset))

    # --- epochs ---

    def epoch_end_offset(self, epoch: int) -> tuple[LeaderEpoch, Offset]:
        """The largest epoch <= `epoch` and where it ends; (-1, -1) where unknown (KIP-320)."""
        return self._epochs.history.end_offset_for(epoch, self.log_end_offset)

    def epoch_at(self, offset: int) -> LeaderEpoch:
        """The epoch that wrote `offset`."""
        return self._epochs.history.epoch_at(offset)

    # --- failures ---

    def _checked(self, doing: str, action: Callable[[], Result], *, fatal: bool = False) -> Result:
        """Call it; what the disk or a damaged file raises becomes a StorageError."""
        try:
            return action()
        except (OSError, DamagedLogError, DamagedIndexError) as error:
            if fatal:
                raise self._fail(doing, error) from error
            raise storage_error(doing, self.directory, error) from error

    def _fail(self, doing: str, error: Exception) -> StorageError:
        """From now on nothing is appended: what the disk holds is not known any more."""
        self._failure = storage_error(doing, self.directory, error)
        self._failure.__cause__ = error
        return self._refusal(self._failure)

    @staticmethod
    def _refusal(failure: StorageError) -> StorageError:
        """To be raised for a failure of before, which would gather the traceback of each raise."""
        refusal = StorageError(failure.message)
        refusal.__cause__ = failure.__cause__
        return refusal
