"""The folder that holds a broker's partitions: whose it is, how it was left, what is safe in it."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Mapping

from ottla.base.errors import UserError
from ottla.base.ids import Offset, TopicPartition, Uuid, format_uuid
from ottla.base.world import Disk, Rng, make_lasting_dir, replace_file
from ottla.log.checkpoints import (
    CLEAN_SHUTDOWN,
    CLEANER_OFFSETS,
    HIGH_WATERMARKS,
    LOG_START_OFFSETS,
    META_PROPERTIES,
    RECOVERY_POINTS,
    MetaProperties,
    decode_clean_shutdown,
    decode_meta_properties,
    decode_offsets,
    encode_clean_shutdown,
    encode_meta_properties,
    encode_offsets,
)
from ottla.log.names import folder_name

log = logging.getLogger(__name__)

LOCK_FILE = ".lock"
"""Held by the process that uses the directory; Kafka's has the same name."""
_NOBODYS_FILES = frozenset({f"{META_PROPERTIES}.tmp", LOCK_FILE, "lost+found"})
"""What a new directory may hold: of a first start that was killed, of the file system itself."""
DISK_IS_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class UnusableDirectoryError(UserError):
    """The disk refuses a data directory; another one may still do."""


class LogDirectory:
    """One data folder.

    `was_clean` is true where the last stop was orderly; then logs are opened without a check.
    `previous_epoch` is the broker epoch of that stop. `checkpoints_lock` is held by whoever looks
    at partitions and writes down what it saw: a thread does it, while partitions come and go.

    `failure` says why nothing in it can be used, for good. `is_full`: nobody may write records to
    it for now. `is_suspected`: the disk has refused something, and nobody has probed it since;
    `alarm` is called when it does. `unsound` are the partitions of which something was refused
    that has not been done since: with any, a stop may not be called clean. `replica_count` is for
    placing.
    """

    def __init__(
        self, path: str, disk: Disk, meta: MetaProperties, *, is_new: bool = False
    ) -> None:
        self.path = path
        self.disk = disk
        self.meta = meta
        self.is_new = is_new
        self.failure: str | None = None
        self.is_full = False
        self.is_suspected = False
        self.unsound: set[TopicPartition] = set()
        self.replica_count = 0
        self.alarm: Callable[[], None] = _nobody_listens
        self.was_clean = disk.exists(self._file(CLEAN_SHUTDOWN))
        self.previous_epoch = self._read_previous_epoch()
        self.checkpoints_lock = threading.Lock()
        self.recovery_points: Mapping[TopicPartition, int] = self._read_offsets(RECOVERY_POINTS)
        self.log_start_offsets: Mapping[TopicPartition, int] = self._read_offsets(LOG_START_OFFSETS)
        self.cleaner_offsets: Mapping[TopicPartition, int] = self._read_offsets(CLEANER_OFFSETS)

    @classmethod
    def open(
        cls, path: str, disk: Disk, rng: Rng, *, node_id: int, cluster_id: str | None
    ) -> LogDirectory:
        """Open the folder, or make a new one.

        Raises UserError for a folder that cannot be written, that holds something else, or that
        belongs to another node or cluster.
        """
        path = os.path.abspath(path)
        try:
            is_new = not disk.exists(f"{path}/{META_PROPERTIES}")
            meta = cls._open_meta(path, disk, rng, node_id=node_id, cluster_id=cluster_id)
            return cls(path, disk, meta, is_new=is_new)
        except OSError as error:
            raise UnusableDirectoryError(
                f"cannot use the data directory {path}: {error.strerror}. "
                "Make it writable, or choose another with --data-dir."
            ) from error

    @classmethod
    def _open_meta(
        cls, path: str, disk: Disk, rng: Rng, *, node_id: int, cluster_id: str | None
    ) -> MetaProperties:
        file = f"{path}/{META_PROPERTIES}"
        if disk.exists(file):
            return _check_owner(path, disk.read_file(file), node_id, cluster_id)
        make_lasting_dir(disk, path)
        found = [name for name in disk.list_dir(path) if name not in _NOBODYS_FILES]
        if found:
            raise UserError(
                f"{path} holds {found[0]!r} but no {META_PROPERTIES}: it is not a data directory. "
                "Choose an empty one with --data-dir."
            )
        meta = MetaProperties(
            cluster_id=cluster_id or format_uuid(rng.uuid()),
            node_id=node_id,
            directory_id=Uuid(rng.uuid()),
        )
        replace_file(disk, file, encode_meta_properties(meta))
        return meta

    def _read_previous_epoch(self) -> int:
        """The broker epoch of the last orderly stop, −1 where the last stop was not orderly."""
        if not self.was_clean:
            return -1
        try:
            return decode_clean_shutdown(self.disk.read_file(self._file(CLEAN_SHUTDOWN)))
        except ValueError:
            return -1

    def partition_path(self, topic: str, partition: int) -> str:
        return self._file(folder_name(TopicPartition(topic, partition)))

    @property
    def id(self) -> Uuid:
        """Its own, in the whole cluster."""
        return self.meta.directory_id

    def suspect(self, error: BaseException) -> None:
        """The disk refused something here: a probe will tell whether the directory is lost.

        `error` is the OSError, or has it as its cause; anything else is none of the disk's.
        """
        cause = _cause(error)
        if cause is None or self.failure is not None:
            return
        if cause.errno in DISK_IS_FULL:
            self.is_full = True
        else:
            self.is_suspected = True
        self.alarm()

    def mark_started(self) -> None:
        """From here on a stop is unclean until `mark_clean` says otherwise."""
        mark = self._file(CLEAN_SHUTDOWN)
        if self.disk.exists(mark):
            self.disk.unlink(mark)
            self.disk.sync_dir(self.path)

    def mark_clean(self, broker_epoch: int) -> None:
        """Everything is closed and on the disk."""
        replace_file(self.disk, self._file(CLEAN_SHUTDOWN), encode_clean_shutdown(broker_epoch))

    def write_recovery_points(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Everything below these offsets is on the disk."""
        replace_file(self.disk, self._file(RECOVERY_POINTS), encode_offsets(offsets))
        self.recovery_points = offsets

    def write_log_start_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        replace_file(self.disk, self._file(LOG_START_OFFSETS), encode_offsets(offsets))
        self.log_start_offsets = offsets

    def write_cleaner_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Below these offsets logs are compacted."""
        replace_file(self.disk, self._file(CLEANER_OFFSETS), encode_offsets(offsets))
        self.cleaner_offsets = offsets

    def write_high_watermarks(self, offsets: Mapping[TopicPartition, Offset]) -> None:
        replace_file(self.disk, self._file(HIGH_WATERMARKS), encode_offsets(offsets))

    def forget(self, key: TopicPartition) -> None:
        """A new log takes the place of another: what is written down of that one must go first.

        Otherwise a start after a crash would hide the first records of the new log, or leave them
        unchecked. Raises OSError.
        """
        with self.checkpoints_lock:
            if key in self.recovery_points:
                self.write_recovery_points(_without(self.recovery_points, key))
            if key in self.log_start_offsets:
                self.write_log_start_offsets(_without(self.log_start_offsets, key))
            if key in self.cleaner_offsets:
                self.write_cleaner_offsets(_without(self.cleaner_offsets, key))

    def _file(self, name: str) -> str:
        return f"{self.path}/{name}"

    def _read_offsets(self, name: str) -> dict[TopicPartition, int]:
        if not self.disk.exists(self._file(name)):
            return {}
        try:
            return decode_offsets(self.disk.read_file(self._file(name)))
        except ValueError as error:
            # Only a hint of where to start checking: without it everything is checked.
            log.warning("ignored a broken checkpoint: %s", error, extra={"file": self._file(name)})
            return {}


def is_for_want_of_room(error: BaseException) -> bool:
    """Whether a disk refused something, here as in `suspect`, because it is full."""
    cause = _cause(error)
    return cause is not None and cause.errno in DISK_IS_FULL


def _cause(error: BaseException) -> OSError | None:
    cause = error if isinstance(error, OSError) else error.__cause__
    return cause if isinstance(cause, OSError) else None


def _nobody_listens() -> None:
    """Before the node watches its disks, what they refuse ends the start."""


def _without(
    offsets: Mapping[TopicPartition, int], gone: TopicPartition
) -> Mapping[TopicPartition, int]:
    return {key: offset for key, offset in offsets.items() if key != gone}


def _check_owner(path: str, content: bytes, node_id: int, cluster_id: str | None) -> MetaProperties:
    try:
        meta = decode_meta_properties(content)
    except ValueError as error:
        raise UserError(f"{path}/{META_PROPERTIES} cannot be read: {error}") from error
    if meta.node_id != node_id:
        raise UserError(
            f"{path} belongs to node {meta.node_id}, and this is node {node_id}. Start with "
            f"--set node.id={meta.node_id}, or choose another directory with --data-dir."
        )
    if cluster_id is not None and cluster_id != meta.cluster_id:
        raise UserError(
            f"{path} belongs to the cluster {meta.cluster_id}, not to {cluster_id}. "
            "Choose another directory with --data-dir."
        )
    return meta
