"""The folders of replicas in the data directories: found, made, opened, set aside and retired.

What lies on the disk is the truth; where the metadata says otherwise, it is told (KIP-858).
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from ottla.base.ids import ZERO_UUID, Offset, TopicPartition, Uuid
from ottla.base.world import Rng
from ottla.broker.log_directories import LogDirectories
from ottla.broker.log_directory import LogDirectory
from ottla.broker.removals import Removals
from ottla.log.config import LogConfig
from ottla.log.errors import StorageError
from ottla.log.names import PARTITION_METADATA, folder_name, folder_partition
from ottla.log.open_files import OpenFiles
from ottla.log.partition_log import PartitionLog
from ottla.metadata.assignments import UNASSIGNED_DIRECTORY
from ottla.metadata.names import CLUSTER_METADATA

log = logging.getLogger(__name__)

DELETED_SUFFIX = "-delete"
"""As Kafka names the folder of a partition whose topic is gone, with a random part before it."""
FUTURE_SUFFIX = "-future"
"""As Kafka names the folder that a replica moves to, until it is complete."""
STRAY_SUFFIX = "-stray"
"""As Kafka names a folder that the metadata does not know: nobody uses it, nobody removes it."""
FOLDER_NAME_LENGTH_MAX = 255
RANDOM_PART_LENGTH = 33
"""A dot and the 32 digits that tell apart folders of one partition."""


class WantedLog(msgspec.Struct, frozen=True, kw_only=True):
    """A replica that is to be opened.

    `recorded` is the id of the directory that the metadata names. `is_new`: it was placed here
    since this process runs, so that no directory can hold it already.
    """

    key: TopicPartition
    topic_id: bytes
    config: LogConfig
    recorded: bytes | None
    is_new: bool


class PlacedLog(msgspec.Struct, frozen=True):
    """An open log, and the directory that it lies in."""

    log: PartitionLog
    directory: LogDirectory


class ReplicaFolders:
    """All folders of this node's replicas. Every method may raise OSError and StorageError.

    `preferred` says where a replica that is not here yet is wanted (KIP-113). `interrupted` are
    moves that an earlier run did not finish: the directory that each replica was to go to.
    """

    def __init__(
        self, directories: LogDirectories, files: OpenFiles, rng: Rng, removals: Removals
    ) -> None:
        self.directories = directories
        self.preferred: dict[TopicPartition, LogDirectory] = {}
        self.interrupted: dict[TopicPartition, LogDirectory] = {}
        self._disk = directories.disk
        self._files = files
        self._rng = rng
        self._removals = removals

    # -- finding ---------------------------------------------------------------------------------

    def scan(self, now_ms: int) -> set[str]:
        """The names of all partitions' folders. What an earlier run left to remove is noted."""
        found: set[str] = set()
        for directory in self.directories.online:
            names = self._disk.list_dir(directory.path)
            found.update(names)
            for name in names:
                if name.endswith(DELETED_SUFFIX):
                    self._removals.add_folder(f"{directory.path}/{name}", now_ms)
                elif name.endswith(FUTURE_SUFFIX):
                    self._begin_anew(name, directory, now_ms)
        return found

    def _begin_anew(self, name: str, directory: LogDirectory, now_ms: int) -> None:
        """A copy that was not finished: nobody knows how much of it is on the disk."""
        self._removals.add_folder(f"{directory.path}/{name}", now_ms)
        key = folder_partition(name.rpartition(".")[0])
        if key is not None:
            self.interrupted[key] = directory

    def set_strays_aside(self, is_placed_here: Callable[[TopicPartition], bool]) -> None:
        """Rename, as Apache Kafka does, what belongs to no partition of this node.

        Its topic was deleted while the directory could not be used, or just before a crash. Only
        a folder that says which topic it is of is taken for a partition's.
        """
        for directory in self.directories.online:
            unknown = (
                f"{directory.path}/{name}"
                for name in self._disk.list_dir(directory.path)
                if _is_of_no_partition(name, is_placed_here)
            )
            strays = [p for p in unknown if self._disk.exists(f"{p}/{PARTITION_METADATA}")]
            for path in strays:
                self._set_stray_aside(path, directory)
            if strays:
                self.sync_names(directory)

    def _set_stray_aside(self, path: str, directory: LogDirectory) -> None:
        aside = self._new_path(directory, path, STRAY_SUFFIX)
        try:
            self._disk.rename(path, aside)
        except OSError as error:
            # It harms nobody: whoever opens a partition of this name looks at the topic's id.
            log.warning("a stray folder could not be renamed: %s", error, extra={"folder": path})
            directory.suspect(error)
            return
        log.warning(
            "a folder is of no partition that the metadata knows here: it may be removed",
            extra={"folder": path, "set_aside": aside},
        )

    # -- opening ---------------------------------------------------------------------------------

    def open(self, wanted: WantedLog) -> PlacedLog:
        """Open the replica where it lies, or make it where it belongs.

        Raises StorageError where it may lie in a directory that cannot be used now: an empty log
        in another place would be taken for the whole.
        """
        ours: list[PlacedLog] = []
        for placed in self._open_all(wanted):
            if self._is_wanted(placed.log, wanted):
                ours.append(placed)
            else:
                # A topic of the same name lived here; its deletion did not reach the disk.
                self.retire(placed.log, placed.directory, 0)
        if not ours:
            return self._create(self._place_for(wanted), wanted)
        return ours[0] if len(ours) == 1 else self._choose(ours, wanted)

    @staticmethod
    def _is_wanted(found: PartitionLog, wanted: WantedLog) -> bool:
        """Whether a folder holds this topic's data. One that does not say whose, as a power loss
        may leave it, is taken for an old topic's: a new one begins empty."""
        if found.topic_id == ZERO_UUID and not wanted.is_new:
            found.assign_topic_id(Uuid(wanted.topic_id))
        return found.topic_id == wanted.topic_id

    def _open_all(self, wanted: WantedLog) -> list[PlacedLog]:
        """Every folder of this name; all of them or none."""
        name = folder_name(wanted.key)
        opened: list[PlacedLog] = []
        try:
            opened.extend(
                self._open_in(directory, wanted)
                for directory in self.directories.online
                if self._disk.exists(f"{directory.path}/{name}")
            )
        except (OSError, StorageError):
            for placed in opened:
                placed.log.abandon()
            raise
        return opened

    def _open_in(self, directory: LogDirectory, wanted: WantedLog) -> PlacedLog:
        key = wanted.key
        try:
            opened = PartitionLog.open(
                directory.partition_path(key.topic, key.partition),
                wanted.config,
                disk=self._disk,
                clean=directory.was_clean,
                recovery_point=Offset(directory.recovery_points.get(key, 0)),
                log_start_offset=Offset(directory.log_start_offsets.get(key, 0)),
                files=self._files,
            )
        except StorageError as error:
            directory.unsound.add(key)
            directory.suspect(error)
            raise
        directory.unsound.discard(key)
        return PlacedLog(opened, directory)

    def _choose(self, ours: list[PlacedLog], wanted: WantedLog) -> PlacedLog:
        """A crash at the end of a move leaves two: the old one, and the one that went on."""
        best = max(
            ours,
            key=lambda placed: (
                placed.log.last_epoch,
                placed.log.log_end_offset,
                placed.directory.id == wanted.recorded,
            ),
        )
        for placed in ours:
            if placed is not best:
                self._set_aside(placed, best)
        return best

    def _set_aside(self, placed: PlacedLog, best: PlacedLog) -> None:
        placed.log.abandon()
        path = self._new_path(placed.directory, placed.log.directory, STRAY_SUFFIX)
        self._disk.rename(placed.log.directory, path)
        self._disk.sync_dir(placed.directory.path)
        log.warning(
            "a partition was in two directories: the longer one is used, the other may be removed",
            extra={"used": best.log.directory, "set_aside": path},
        )

    def _place_for(self, wanted: WantedLog) -> LogDirectory:
        """The directory for a replica that no directory holds."""
        failures = self.directories.failures
        if failures and not wanted.is_new:
            raise StorageError(
                f"{wanted.key.topic}-{wanted.key.partition} is in none of the directories that "
                f"can be used, perhaps in one that cannot: {', '.join(failures)}"
            )
        preferred = self.preferred.pop(wanted.key, None)
        if preferred is not None and preferred.failure is None:
            return preferred
        recorded = self.directories.with_id(wanted.recorded)
        if recorded is not None:
            return recorded
        if wanted.recorded not in (None, UNASSIGNED_DIRECTORY) and not wanted.is_new:
            raise StorageError(
                f"{wanted.key.topic}-{wanted.key.partition} was placed in a directory that "
                "log.dirs does not name any more: name it again, or delete the topic if its disk "
                "is lost"
            )
        return self.directories.emptiest()

    def _create(self, directory: LogDirectory, wanted: WantedLog) -> PlacedLog:
        try:
            directory.forget(wanted.key)
            made = PartitionLog.create(
                directory.partition_path(wanted.key.topic, wanted.key.partition),
                Uuid(wanted.topic_id),
                wanted.config,
                disk=self._disk,
                files=self._files,
            )
        except (OSError, StorageError) as error:
            directory.unsound.add(wanted.key)
            directory.suspect(error)
            raise
        directory.unsound.discard(wanted.key)
        return PlacedLog(made, directory)

    def open_moved(
        self, key: TopicPartition, directory: LogDirectory, old: PartitionLog
    ) -> PartitionLog:
        """The complete copy of `old` in another directory, all of which is on the disk."""
        return PartitionLog.open(
            directory.partition_path(key.topic, key.partition),
            old.config,
            disk=self._disk,
            clean=True,
            recovery_point=old.log_end_offset,
            log_start_offset=old.log_start_offset,
            files=self._files,
        )

    # -- leaving ---------------------------------------------------------------------------------

    def retire(self, retired: PartitionLog, directory: LogDirectory, due_ms: int) -> None:
        """Free the name at once and the disk later: readers may still be sending from the files.

        The caller syncs the data directory when it has retired all that it wants to.
        """
        retired.abandon()
        self.discard(retired.directory, directory, due_ms)

    def discard(self, path: str, directory: LogDirectory, due_ms: int) -> None:
        """Let a folder go that no log has open."""
        deleted = self._new_path(directory, path, DELETED_SUFFIX)
        self._disk.rename(path, deleted)
        self._removals.add_folder(deleted, due_ms)

    def sync_names(self, directory: LogDirectory) -> None:
        """Make renamed folders lasting, where the disk lets us."""
        try:
            self._disk.sync_dir(directory.path)
        except OSError as error:
            # After a power loss a folder may have its old name again; its topic id tells it apart.
            log.warning("a data directory could not be synced: %s", error)
            directory.suspect(error)

    # -- moving ----------------------------------------------------------------------------------

    def new_future(self, key: TopicPartition, directory: LogDirectory) -> str:
        """The path of a folder that a replica may move to."""
        return self._new_path(directory, folder_name(key), FUTURE_SUFFIX)

    def _new_path(self, directory: LogDirectory, path: str, suffix: str) -> str:
        ending = f".{self._rng.uuid().hex()}{suffix}"
        name = path.rpartition("/")[2][: FOLDER_NAME_LENGTH_MAX - len(ending)]
        return f"{directory.path}/{name}{ending}"


def _is_of_no_partition(name: str, is_placed_here: Callable[[TopicPartition], bool]) -> bool:
    key = folder_partition(name)
    return key is not None and key.topic != CLUSTER_METADATA and not is_placed_here(key)


def may_move(key: TopicPartition) -> bool:
    """Whether the name leaves room for what a moving replica's folder is called."""
    return len(folder_name(key)) + RANDOM_PART_LENGTH + len(FUTURE_SUFFIX) <= FOLDER_NAME_LENGTH_MAX
