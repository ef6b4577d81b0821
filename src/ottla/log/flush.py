"""Making a log durable without holding up the loop: plan here, sync in a thread, complete here."""

from __future__ import annotations

from collections.abc import Sequence

from ottla.base.ids import Offset
from ottla.base.world import Disk, File
from ottla.log import names
from ottla.log.segment import Segment


class FlushPlan:
    """Everything below `end_offset` is on the disk once `run` has returned without an error."""

    __slots__ = ("_disk", "_files", "_folders", "end_offset", "error", "truncations")

    def __init__(
        self,
        end_offset: Offset,
        *,
        truncations: int,
        disk: Disk,
        files: Sequence[File],
        folders: Sequence[str],
    ) -> None:
        self.end_offset = end_offset
        self.truncations = truncations
        self.error: OSError | None = None
        self._disk = disk
        self._files = files
        self._folders = folders

    def run(self) -> None:
        """Sync files, then folders; for a thread: nothing here touches the log itself.

        A failure stays in `error`, for `PartitionLog.complete_flush` to tell.
        """
        try:
            for file in self._files:
                file.sync()
            for folder in self._folders:
                self._disk.sync_dir(folder)
        except OSError as error:
            self.error = error


class Unsynced:
    """What of a log is not known to be on the disk, besides the tail of its active segment."""

    __slots__ = ("_disk", "_folders", "_paths", "_segments")

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._segments: list[Segment] = []
        self._paths: list[str] = []
        self._folders: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._segments or self._paths or self._folders)

    def note_sealed(self, segment: Segment) -> None:
        """A segment that takes no more batches, with its indexes."""
        if segment not in self._segments:
            self._segments.append(segment)

    def note_file(self, path: str) -> None:
        """A small file that was written anew, under this name."""
        if path not in self._paths:
            self._paths.append(path)
        self.note_folder(path.rpartition("/")[0])

    def note_folder(self, path: str) -> None:
        """A folder in which names came or went."""
        if path not in self._folders:
            self._folders.append(path)

    def note_new(self, directory: str) -> None:
        """The folder of the log itself, and its own name in the folder above."""
        self.note_folder(directory)
        self.note_folder(directory.rpartition("/")[0] or ".")

    def note_found(self, directory: str, sealed: Sequence[Segment], *, clean: bool) -> None:
        """What an earlier process left: after an unclean stop, nobody knows what it had synced."""
        self._segments.extend(sealed)
        if not clean:
            self.note_new(directory)
            for name in (names.LEADER_EPOCHS, names.PARTITION_METADATA):
                if self._disk.exists(f"{directory}/{name}"):
                    self.note_file(f"{directory}/{name}")

    def sync_folder(self, path: str) -> None:
        """Sync a folder here and now, if names came or went in it. Raises OSError."""
        if path in self._folders:
            self._disk.sync_dir(path)
            self._folders.remove(path)

    def keep_only(self, sealed: Sequence[Segment]) -> None:
        """Other segments are gone, or take batches again."""
        self._segments = [segment for segment in self._segments if segment in sealed]

    def plan(self, active: Segment, end_offset: Offset, *, truncations: int) -> FlushPlan:
        """Hand everything over to a plan; what becomes dirty from here on is for the next."""
        files: list[File] = []
        for segment in self._segments:
            segment.check_indexes()
            files += (segment.offsets.file.get(), segment.times.file.get(), segment.log.get())
        if active not in self._segments:
            files.append(active.log.get())
        # A snapshot may have gone with its segment meanwhile.
        files += [self._disk.open(path) for path in self._paths if self._disk.exists(path)]
        plan = FlushPlan(
            end_offset,
            truncations=truncations,
            disk=self._disk,
            files=files,
            folders=sorted(self._folders, reverse=True),
        )
        self._segments, self._paths, self._folders = [], [], []
        return plan
