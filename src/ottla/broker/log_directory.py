"""The folder that holds a broker's partitions: whose it is, how it was left, what is safe in it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping

from ottla.base.errors import UserError
from ottla.base.ids import Offset, TopicPartition, Uuid, format_uuid, parse_uuid
from ottla.base.world import Disk, Rng, replace_file
from ottla.log.checkpoints import (
    CLEAN_SHUTDOWN,
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


class LogDirectory:
    """One data folder.

    `was_clean` is true where the last stop was orderly; then logs are opened without a check.
    `previous_epoch` is the broker epoch of that stop. `checkpoints_lock` is held by whoever looks
    at partitions and writes down what it saw: a thread does it, while partitions come and go.
    """

    def __init__(self, path: str, disk: Disk, meta: MetaProperties) -> None:
        self.path = path
        self.disk = disk
        self.meta = meta
        self.was_clean = disk.exists(self._file(CLEAN_SHUTDOWN))
        self.previous_epoch = self._read_previous_epoch()
        self.checkpoints_lock = threading.Lock()
        self.recovery_points: Mapping[TopicPartition, int] = self._read_offsets(RECOVERY_POINTS)
        self.log_start_offsets: Mapping[TopicPartition, int] = self._read_offsets(LOG_START_OFFSETS)

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
            meta = cls._open_meta(path, disk, rng, node_id=node_id, cluster_id=cluster_id)
        except OSError as error:
            raise UserError(
                f"cannot use the data directory {path}: {error.strerror}. "
                "Make it writable, or choose another with --data-dir."
            ) from error
        return cls(path, disk, meta)

    @classmethod
    def _open_meta(
        cls, path: str, disk: Disk, rng: Rng, *, node_id: int, cluster_id: str | None
    ) -> MetaProperties:
        file = f"{path}/{META_PROPERTIES}"
        disk.make_dir(path)
        if disk.exists(file):
            return _check_owner(path, disk.read_file(file), node_id, cluster_id)
        # A first start that was killed leaves the file under its temporary name.
        found = [name for name in disk.list_dir(path) if name != f"{META_PROPERTIES}.tmp"]
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


def _without(
    offsets: Mapping[TopicPartition, int], gone: TopicPartition
) -> Mapping[TopicPartition, int]:
    return {key: offset for key, offset in offsets.items() if key != gone}


def _check_owner(path: str, content: bytes, node_id: int, cluster_id: str | None) -> MetaProperties:
    try:
        meta = decode_meta_properties(content)
        parse_uuid(meta.cluster_id)
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
