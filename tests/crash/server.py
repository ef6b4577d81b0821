"""A broker's data directory without a broker: the same steps in the same order, no loop, no client.

`LocalReplicas` opens and deletes so, `Housekeeping` checkpoints so, `Retention` and `Removals` let
go so, and `Node.stop` ends so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from ottla.base.ids import Offset, TopicPartition, Uuid
from ottla.base.world import Disk
from ottla.broker.log_directory import LogDirectory
from ottla.log.compaction.swap import Swap
from ottla.log.config import LogConfig
from ottla.log.open_files import OpenFiles
from ottla.log.partition_log import PartitionLog
from ottla.log.recovery import remove_folder
from tests.crash.promises import PATH
from tests.support.cluster import SeededRng

NODE_ID = 1
BROKER_EPOCH = 7
OPEN_FILES = 64


class Server:
    """Opened logs by partition."""

    def __init__(self, disk: Disk, directory: LogDirectory) -> None:
        self.disk = disk
        self.directory = directory
        self.path = directory.path
        self.logs: dict[TopicPartition, PartitionLog] = {}
        self._files = OpenFiles(disk, OPEN_FILES)
        self._unsynced_folders: set[str] = set()
        self._files_to_remove: list[str] = []
        self._folders_to_remove: list[str] = []
        self._folders_retired = 0

    @classmethod
    def start(cls, disk: Disk, topics: Mapping[TopicPartition, tuple[Uuid, LogConfig]]) -> Server:
        """What a node does at its start with the partitions that the metadata knows."""
        directory = LogDirectory.open(
            os.path.abspath(f"/{PATH}"), disk, SeededRng(1), node_id=NODE_ID, cluster_id=None
        )
        server = cls(disk, directory)
        directory.mark_started()
        for key, (topic_id, config) in topics.items():
            server.open(key, topic_id, config)
        for name in disk.list_dir(server.path):
            if name.endswith("-delete"):
                server._folders_to_remove.append(f"{server.path}/{name}")
        return server

    def open(self, key: TopicPartition, topic_id: Uuid, config: LogConfig) -> PartitionLog:
        """Open or make one log."""
        self.logs[key] = log = self._open(key, topic_id, config)
        return log

    def _open(self, key: TopicPartition, topic_id: Uuid, config: LogConfig) -> PartitionLog:
        directory = self.directory
        path = directory.partition_path(key.topic, key.partition)
        if not self.disk.exists(path):
            directory.forget(key)
            return PartitionLog.create(path, topic_id, config, disk=self.disk, files=self._files)
        log = PartitionLog.open(
            path,
            config,
            disk=self.disk,
            clean=directory.was_clean,
            recovery_point=Offset(directory.recovery_points.get(key, 0)),
            log_start_offset=Offset(directory.log_start_offsets.get(key, 0)),
            files=self._files,
        )
        if log.topic_id == topic_id:
            return log
        self._retire(log)
        return self._open(key, topic_id, config)

    # --- housekeeping ---

    def write_recovery_points(self) -> None:
        directory = self.directory
        directory.write_recovery_points({key: log.recovery_point for key, log in self._items()})
        directory.write_high_watermarks({key: log.log_end_offset for key, log in self._items()})

    def write_log_starts(self) -> None:
        self.directory.write_log_start_offsets(
            {key: log.log_start_offset for key, log in self._items()}
        )

    def _items(self) -> Iterable[tuple[TopicPartition, PartitionLog]]:
        return self.logs.items()

    def release_one(self, key: TopicPartition, now_ms: int) -> bool:
        """One step of a retention round; whether a segment went."""
        log = self.logs[key]
        if log.directory in self._unsynced_folders:
            self.disk.sync_dir(log.directory)
            self._unsynced_folders.discard(log.directory)
        released = log.release_oldest(log.log_end_offset, now_ms)
        if released is None:
            return False
        self._unsynced_folders.add(log.directory)
        self._files_to_remove += released.paths
        return True

    def replace_compacted(
        self, key: TopicPartition, swap: Swap, between: Callable[[], None]
    ) -> None:
        """The folder is synced in a thread after each step, while the loop goes on."""
        steps = swap.steps()
        try:
            for _ in steps:
                between()
                try:
                    self.disk.sync_dir(self.logs[key].directory)
                except OSError as error:
                    steps.throw(error)
        finally:
            self._files_to_remove += swap.retired

    def write_cleaner_offset(self, key: TopicPartition, offset: int) -> None:
        self.directory.write_cleaner_offsets({**self.directory.cleaner_offsets, key: offset})

    def remove_due(self) -> None:
        """Unlink what has waited long enough."""
        self._files_to_remove = self._left_of(self._files_to_remove, self.disk.unlink)
        self._folders_to_remove = self._left_of(
            self._folders_to_remove, lambda path: remove_folder(self.disk, path)
        )

    def _left_of(self, paths: list[str], remove: Callable[[str], None]) -> list[str]:
        left = []
        for path in paths:
            try:
                remove(path)
            except FileNotFoundError:
                pass
            except OSError:
                left.append(path)
        return left

    # --- ends ---

    def delete(self, key: TopicPartition) -> None:
        """Its topic is gone."""
        try:
            self._retire(self.logs.pop(key))
        finally:
            self.disk.sync_dir(self.path)

    def _retire(self, log: PartitionLog) -> None:
        log.abandon()
        self._folders_retired += 1
        path = f"{log.directory}.{self._folders_retired:032x}-delete"
        self.disk.rename(log.directory, path)
        self._folders_to_remove.append(path)

    def finish_stop(self) -> None:
        """When all logs are closed."""
        self.write_recovery_points()
        self.write_log_starts()
        self.directory.mark_clean(BROKER_EPOCH)
