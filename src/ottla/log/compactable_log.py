"""The half of a partition's log that compaction asks, and that takes over what it has made."""

from __future__ import annotations

from abc import abstractmethod

from ottla.base.ids import Offset
from ottla.log.compaction.result import CompactionResult
from ottla.log.compaction.swap import Swap
from ottla.log.config import LogConfig
from ottla.log.flush import Unsynced
from ottla.log.open_files import OpenFiles
from ottla.log.readable_log import ReadableLog
from ottla.log.segment import Segment


class CompactableLog(ReadableLog):
    """See `compaction.plan.Compactable`; every method may raise StorageError.

    `truncations` counts how often the log was cut since it was opened.
    """

    __slots__ = ()

    _closed: bool
    _config: LogConfig
    _files: OpenFiles
    _unsynced: Unsynced
    recovery_point: Offset
    truncations: int

    @abstractmethod
    def flush(self) -> None:
        """Sync everything that is committed, here and now."""

    @property
    def closed_segments(self) -> list[Segment]:
        """All but the one that is written to."""
        return list(self._segments)[:-1]

    def youngest_ms(self, segment: Segment) -> int:
        """The largest timestamp of a segment or, without any, when its file was last written."""
        return self._segments.youngest_ms(segment)

    def swap_compacted(self, result: CompactionResult) -> Swap:
        """The steps by which compacted segments take the place of others (`Swap.steps`).

        To be taken after a flush, or they find the result stale.
        """
        return Swap(
            result,
            self._segments,
            self.producers.aborted,
            self._files.disk,
            new_segment=lambda base: Segment(
                self.directory, base, self._config, self._files, fresh=False
            ),
            still_fits=lambda: self._still_fits(result),
            swapped=lambda: self._unsynced.keep_only(self.closed_segments),
            broken=self._fail,
        )

    def _still_fits(self, result: CompactionResult) -> bool:
        return (
            not self._closed
            and self._failure is None
            and self._config.is_compacted
            and self.truncations == result.truncations
            # What was flushed must not go for the sake of what was not.
            and self.recovery_point >= result.first_dirty_offset
        )

    def replace_compacted(self, result: CompactionResult) -> list[str]:
        """Take over what `compact` has written; paths to unlink after `file.delete.delay.ms`.

        Raises StaleCompactionError where the log is no longer as it was; then it stays as it is.
        """
        self.flush()
        swap = self.swap_compacted(result)
        swap.run()
        return swap.retired
