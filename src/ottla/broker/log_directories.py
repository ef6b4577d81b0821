"""The data directories of a node: which there are, which can be used, where a new replica goes.

The metadata log lies in one of them, or in one of its own. A directory that cannot be used takes
only its own partitions with it, unless it is that one, or the last.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.base.world import Disk, Rng
from ottla.broker.log_directory import LogDirectory, UnusableDirectoryError
from ottla.log.checkpoints import META_PROPERTIES
from ottla.settings import broker as keys
from ottla.settings.broker import BrokerSettings

log = logging.getLogger(__name__)

Hold = Callable[[str], None]
"""Take a directory for this process. Raises UserError while another has it, and OSError."""


class LogDirectories:
    """All data directories, in the order of `log.dirs`.

    `metadata` holds the metadata log. `failures` says by path which ones cannot be used, and why:
    since the start, or since they failed.
    """

    def __init__(
        self,
        metadata: LogDirectory,
        opened: Sequence[LogDirectory],
        *,
        failures: dict[str, str] | None = None,
    ) -> None:
        self.metadata = metadata
        self.failures = failures or {}
        self._opened = list(opened)

    @classmethod
    def open(cls, settings: BrokerSettings, disk: Disk, rng: Rng, *, hold: Hold) -> LogDirectories:
        """Open all that can be opened, and hold them.

        Raises UserError where a person must act: see `LogDirectory.open`; directories that do not
        belong together; one of the metadata log that cannot be used.
        """
        paths = [os.path.abspath(path) for path in settings.data_directories]
        if len(set(paths)) < len(paths):
            raise UserError("log.dirs names a directory twice: each may be there once")
        told = settings[keys.METADATA_LOG_DIR]
        metadata_path = paths[0] if told is None else os.path.abspath(told)
        others = [path for path in paths if path != metadata_path]
        _check_metadata_directory(disk, metadata_path, others)
        node_id, cluster_id = settings[keys.NODE_ID], settings[keys.CLUSTER_ID]
        metadata = _open_held(
            metadata_path, disk, rng, hold, node_id=node_id, cluster_id=cluster_id
        )
        opened, failures = {metadata_path: metadata}, {}
        for path in others:
            try:
                opened[path] = _open_held(
                    path, disk, rng, hold, node_id=node_id, cluster_id=metadata.meta.cluster_id
                )
            except UnusableDirectoryError as error:
                failures[path] = str(error)
                log.error(  # noqa: TRY400 # the cause is in the message; a person must act
                    "%s Its partitions are offline; the others are served. "
                    "Repair the disk and start again.",
                    error,
                )
        directories = [opened[path] for path in paths if path in opened]
        if not directories:
            raise UserError("none of the directories in log.dirs can be used: see the lines above")
        _check_ids([*directories, metadata])
        return cls(metadata, directories, failures=failures)

    # -- which there are -------------------------------------------------------------------------

    @property
    def online(self) -> list[LogDirectory]:
        """Those that hold partitions and can be used."""
        return [directory for directory in self._opened if directory.failure is None]

    @property
    def watched(self) -> list[LogDirectory]:
        """All that matter to the node and can be used."""
        watched = self.online
        if self.metadata not in self._opened and self.metadata.failure is None:
            watched.append(self.metadata)
        return watched

    @property
    def cluster_id(self) -> str:
        return self.metadata.meta.cluster_id

    @property
    def disk(self) -> Disk:
        return self.metadata.disk

    @property
    def previous_epoch(self) -> int:
        """The broker epoch of the last orderly stop, −1 where one of them does not know it."""
        told = {found.previous_epoch for found in self.online if not found.is_new}
        return told.pop() if len(told) == 1 else -1

    def with_id(self, directory_id: bytes | None) -> LogDirectory | None:
        """The usable directory of this id."""
        return next((found for found in self.online if found.id == directory_id), None)

    def named(self, path: str) -> LogDirectory:
        """The usable directory of this path.

        Raises ProtocolError: LOG_DIR_NOT_FOUND, or KAFKA_STORAGE_ERROR where it has failed.
        """
        path = os.path.abspath(path)
        found = next((one for one in self.online if one.path == path), None)
        if found is not None:
            return found
        if path in self.failures:
            raise ProtocolError(
                ErrorCode.KAFKA_STORAGE_ERROR, f"the directory {path} is offline: see the log"
            )
        raise ProtocolError(ErrorCode.LOG_DIR_NOT_FOUND, f"{path} is not in log.dirs")

    def mark_clean(self, broker_epoch: int) -> bool:
        """Say in every directory that all in it is on the disk, where it is; whether all are."""
        safe = not self.failures
        for directory in self.online:
            if directory.unsound:
                safe = False
                continue
            try:
                directory.mark_clean(broker_epoch)
            except OSError as error:
                log.error("a directory could not be marked: %s", error)  # noqa: TRY400 # told in words
                safe = False
        return safe

    # -- placing ---------------------------------------------------------------------------------

    def emptiest(self) -> LogDirectory:
        """Where the next replica goes: there, where the fewest are, as Kafka does it.

        One that has no room is the last to be chosen.
        """
        return min(self.online, key=lambda found: (found.is_full, found.replica_count))

    @property
    def has_room(self) -> bool:
        """Whether some directory may take a new replica."""
        return not all(directory.is_full for directory in self.online)

    def check_room_for_more(self) -> None:
        """Raises ProtocolError(KAFKA_STORAGE_ERROR) where no directory may take a new replica."""
        if not self.has_room:
            raise ProtocolError(
                ErrorCode.KAFKA_STORAGE_ERROR,
                "the disks of this node are full: no topic or partition can be made until there "
                "is room again. Delete topics or records, or give it more disk.",
            )

    # -- failing ---------------------------------------------------------------------------------

    def condemn(self, directory: LogDirectory, reason: str) -> bool:
        """Give a directory up; whether the node can go on without it."""
        directory.failure = reason
        self.failures[directory.path] = reason
        return directory is not self.metadata and bool(self.online)


def _open_held(
    path: str, disk: Disk, rng: Rng, hold: Hold, *, node_id: int, cluster_id: str | None
) -> LogDirectory:
    directory = LogDirectory.open(path, disk, rng, node_id=node_id, cluster_id=cluster_id)
    try:
        hold(directory.path)
    except OSError as error:
        raise UnusableDirectoryError(
            f"cannot lock the data directory {path}: {error.strerror}."
        ) from error
    return directory


def _check_metadata_directory(disk: Disk, path: str, others: Sequence[str]) -> None:
    """A new metadata log beside old partitions would know none of them."""
    if _is_in_use(disk, path):
        return
    used = [other for other in others if _is_in_use(disk, other)]
    if used:
        raise UserError(
            f"{path} is new, but {used[0]} is in use: the metadata log is missing, without which "
            "nobody knows what the partitions are. Name the directory that holds it first in "
            "log.dirs, or in metadata.log.dir."
        )


def _is_in_use(disk: Disk, path: str) -> bool:
    try:
        return disk.exists(f"{path}/{META_PROPERTIES}")
    except OSError:
        return False


def _check_ids(directories: Sequence[LogDirectory]) -> None:
    by_id: dict[bytes, LogDirectory] = {}
    for directory in directories:
        other = by_id.setdefault(directory.id, directory)
        if other is not directory:
            raise UserError(
                f"{directory.path} and {other.path} have the same directory.id: one is a copy of "
                "the other. Take one of them out of log.dirs."
            )
