"""The leader epochs of a log together with their checkpoint file.

The file is replaced when the epochs change, and synced with the next flush: recovery reads the
epochs of everything that was not flushed from the batches themselves.
"""

from __future__ import annotations

from ottla.base.world import Disk
from ottla.log import checkpoints, names
from ottla.log.flush import Unsynced
from ottla.log.recovery import Recovered


class EpochFile:
    """Changes stay in memory until `write`. `last` is cheap: the hot path compares with it."""

    __slots__ = ("_begun", "_directory", "_disk", "_unsynced", "dirty", "history", "last")

    def __init__(
        self, directory: str, recovered: Recovered, disk: Disk, unsynced: Unsynced
    ) -> None:
        self._directory = directory
        self._disk = disk
        self._unsynced = unsynced
        self.history = recovered.epochs
        self.dirty = recovered.epochs_changed
        self.last: int = self.history.last_epoch
        self._begun = (-1, -1)

    def begin(self, epoch: int, first_offset: int) -> None:
        """A leader's epoch begins; one older than the last would be a fenced leader's."""
        assert epoch >= self.last, f"epoch {epoch} is fenced by {self.last}"
        self._changed(self.history.assign(epoch, first_offset))

    def begin_empty(self, epoch: int, log_end_offset: int) -> None:
        """A leader's epoch begins before it has a batch."""
        self.begin(epoch, log_end_offset)
        self._begun = (epoch, log_end_offset)

    def drop_staged(self, log_end_offset: int) -> None:
        """Forget the epochs of batches that were not written; not one that began without any."""
        self.truncate_end(log_end_offset)
        epoch, first_offset = self._begun
        if first_offset >= log_end_offset and epoch > self.last:
            self.begin(epoch, first_offset)

    def truncate_end(self, end_offset: int) -> None:
        """Drop epochs that begin at `end_offset` or later."""
        self._changed(self.history.truncate_end(end_offset))

    def truncate_start(self, start_offset: int) -> None:
        """Forget what was before `start_offset`."""
        self._changed(self.history.truncate_start(start_offset))

    def _changed(self, changed: bool) -> None:
        self.dirty |= changed
        self.last = self.history.last_epoch

    def write(self) -> None:
        """Replace the checkpoint, if anything changed. Raises OSError; then it is still to do."""
        if self.dirty:
            path = f"{self._directory}/{names.LEADER_EPOCHS}"
            content = checkpoints.encode_epochs(self.history.entries())
            write_small(self._disk, path, content, self._unsynced)
            self.dirty = False


def write_small(disk: Disk, path: str, content: bytes, unsynced: Unsynced) -> None:
    """Replace a small file at once, and have it synced by the next flush."""
    temporary = path + ".tmp"
    file = disk.open(temporary, create=True)
    try:
        file.truncate(0)
        file.append([content])
    finally:
        file.close()
    disk.rename(temporary, path)
    unsynced.note_file(path)
