"""The partitions that this broker hosts: opened, led, grown and deleted as the metadata says."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from ottla.base.errors import ErrorCode
from ottla.base.ids import NodeId, PartitionIndex, TopicName, TopicPartition
from ottla.base.world import Rng
from ottla.broker.log_directories import LogDirectories
from ottla.broker.log_directory import LogDirectory, is_for_want_of_room
from ottla.broker.partition import Partition
from ottla.broker.removals import Removals
from ottla.broker.replica_folders import PlacedLog, ReplicaFolders, WantedLog
from ottla.log.config import LogConfig
from ottla.log.errors import StorageError
from ottla.log.names import folder_name
from ottla.log.open_files import OpenFiles
from ottla.metadata.image import MetadataDelta, MetadataImage, ResourceType, TopicImage
from ottla.settings import topic as topic_settings
from ottla.settings.engine import Layers

log = logging.getLogger(__name__)


class LocalReplicas:
    """All replicas on this node, by name and by topic id.

    `unrecorded` are those of which the metadata does not say, or says wrongly, where they lie.
    """

    def __init__(
        self,
        node_id: NodeId,
        directories: LogDirectories,
        files: OpenFiles,
        settings: Layers,
        rng: Rng,
    ) -> None:
        self._node_id = node_id
        self.directories = directories
        self._settings = settings
        self._topic_settings = topic_settings.TopicSettings(settings)
        self._by_name: dict[tuple[str, int], Partition] = {}
        self._by_id: dict[tuple[bytes, int], Partition] = {}
        # Placed here and not opened yet, in the order in which they came; whether they are new.
        self._unopened: dict[tuple[bytes, int], bool] = {}
        # Those whose log could not be opened: nobody has made it whole after an unclean stop.
        self._unusable: set[tuple[bytes, int]] = set()
        # Those of them that only found no room on the disk, as in `_unopened`.
        self._roomless: dict[tuple[bytes, int], bool] = {}
        # Topic, key and text of what a log says and no topic here can be set to.
        self._told_unusable: set[tuple[str, str, str]] = set()
        self._image: MetadataImage | None = None
        self.removals = Removals(directories.disk)
        self.folders = ReplicaFolders(directories, files, rng, self.removals)
        self.unrecorded: dict[Partition, None] = {}
        # How long opening them took at the start, as whoever has a clock tells.
        self.opening_ms = 0
        # The checkpoint of log starts is behind; whoever writes it says that it no longer is.
        self.log_starts_moved = False

    def __iter__(self) -> Iterator[Partition]:
        return iter(list(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def unopened_count(self) -> int:
        """Those that are placed here and wait for their opening."""
        return len(self._unopened)

    @property
    def unusable_count(self) -> int:
        """Those whose log could not be opened."""
        return len(self._unusable)

    # -- finding ---------------------------------------------------------------------------------

    def hosted(self, topic: str, index: int) -> Partition | None:
        """The replica here if it is open; for a look, which opens nothing."""
        return self._by_name.get((topic, index))

    def find(self, topic: str, index: int) -> Partition | ErrorCode:
        """The replica here, or why there is none."""
        found = self._by_name.get((topic, index))
        if found is not None:
            return found
        image = self._image
        known = None if image is None else image.topics_by_name.get(topic)
        return self._open_now(known, index) or _why_missing(
            known, index, self._node_id, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        )

    def find_by_id(self, topic_id: bytes, index: int) -> Partition | ErrorCode:
        """The replica here, or why there is none."""
        found = self._by_id.get((topic_id, index))
        if found is not None:
            return found
        image = self._image
        known = None if image is None else image.topics_by_id.get(topic_id)
        return self._open_now(known, index) or _why_missing(
            known, index, self._node_id, ErrorCode.UNKNOWN_TOPIC_ID
        )

    def topic_layers(self, name: str, image: MetadataImage) -> Layers:
        """A topic's settings over those of this broker."""
        return self._topic_settings.layers(image.topic_configs(name))

    # -- following the metadata ------------------------------------------------------------------

    def apply(self, image: MetadataImage, delta: MetadataDelta, now_ms: int) -> None:
        """Do what the metadata's change asks of this node."""
        self._image = image
        for topic in delta.topics_deleted:
            self._delete_topic(topic, now_ms)
        for topic_id, indexes in delta.partitions_changed.items():
            changed = image.topics_by_id.get(topic_id)
            if changed is not None:
                self._apply_partitions(changed, indexes, are_new=True)
        for resource in delta.configs_changed:
            if resource.type == ResourceType.TOPIC:
                self._apply_config(resource.name, image)

    def load(self, image: MetadataImage, now_ms: int) -> None:
        """Open every partition of the image that has data here; the others wait for `open_some`."""
        for _ in self.loading(image, now_ms):
            pass

    def loading(self, image: MetadataImage, now_ms: int) -> Iterator[None]:
        """`load`, a partition a step."""
        self._image = image
        self.folders.set_strays_aside(self._is_placed_here)
        folders = self.folders.scan(now_ms)
        for topic in image.topics_by_name.values():
            self._apply_partitions(topic, range(len(topic.partitions)), are_new=False)
            for index in range(len(topic.partitions)):
                if folder_name(TopicPartition(topic.name, index)) in folders:
                    self._open_now(topic, index)
                    yield

    def _is_placed_here(self, key: TopicPartition) -> bool:
        """Whether the metadata wants this node to have a replica of a partition."""
        assert self._image is not None
        topic = self._image.topics_by_name.get(key.topic)
        if topic is None or key.partition >= len(topic.partitions):
            return False
        return self._node_id in topic.partitions[key.partition].replicas

    def _apply_partitions(
        self, topic: TopicImage, indexes: Iterable[int], *, are_new: bool
    ) -> None:
        for index in indexes:
            state = topic.partitions[index]
            if self._node_id not in state.replicas:
                self._drop(topic, index)
                continue
            partition = self._by_id.get((topic.topic_id, index))
            if partition is not None:
                partition.lead_or_follow(state, self._node_id)
                self._note_place(partition)
            else:
                key = topic.topic_id, index
                self._unopened.setdefault(key, are_new and key not in self._unusable)

    # -- opening ---------------------------------------------------------------------------------

    def open_some(self, limit: int) -> bool:
        """Open up to `limit` partitions that nobody has asked for yet; whether more are left.

        Making a folder and its files takes a millisecond on some disks: a topic of a thousand
        partitions must not hold up the loop for a second.
        """
        image = self._image
        assert image is not None
        for topic_id, index in list(islice(self._unopened, limit)):
            self._open_now(image.topics_by_id[topic_id], index)
        return bool(self._unopened)

    def _open_now(self, topic: TopicImage | None, index: int) -> Partition | None:
        """Open a partition that still waits for it; None for any other."""
        if topic is None or (topic.topic_id, index) not in self._unopened:
            return None
        is_new = self._unopened.pop((topic.topic_id, index))
        partition = self._open(topic, index, is_new=is_new)
        if partition is not None:
            partition.lead_or_follow(topic.partitions[index], self._node_id)
            self._note_place(partition)
        return partition

    def _open(self, topic: TopicImage, index: int, *, is_new: bool) -> Partition | None:
        config, min_insync_replicas = self._settings_of(topic)
        try:
            opened = self._open_log(topic, index, config, is_new=is_new)
        except (StorageError, OSError) as error:
            # One damaged partition goes offline; the others serve.
            self._stays_offline(topic, index, error, is_new=is_new)
            return None
        partition = Partition(
            TopicName(topic.name),
            topic.topic_id,
            PartitionIndex(index),
            opened.log,
            directory=opened.directory,
            min_insync_replicas=min_insync_replicas,
        )
        self._unusable.discard((topic.topic_id, index))
        opened.directory.replica_count += 1
        self._by_name[topic.name, index] = partition
        self._by_id[topic.topic_id, index] = partition
        return partition

    def _stays_offline(
        self, topic: TopicImage, index: int, error: Exception, *, is_new: bool
    ) -> None:
        key = topic.topic_id, index
        wants_room = is_for_want_of_room(error)
        if wants_room:
            self._roomless[key] = is_new
        if key not in self._unusable:
            log.error(
                "a partition stays offline%s: %s",
                " until there is room on the disk" if wants_room else "",
                error,
                extra={"partition": str(TopicPartition(topic.name, index))},
            )
        self._unusable.add(key)

    def try_roomless(self) -> None:
        """Let those that found no room wait for their opening again, where there is some now."""
        if self._roomless and self.directories.has_room:
            self._unopened.update(self._roomless)
            self._roomless.clear()

    def _open_log(
        self, topic: TopicImage, index: int, config: LogConfig, *, is_new: bool
    ) -> PlacedLog:
        wanted = WantedLog(
            key=TopicPartition(topic.name, index),
            topic_id=topic.topic_id,
            config=config,
            recorded=topic.partitions[index].directory_of(self._node_id),
            is_new=is_new,
        )
        return self.folders.open(wanted)

    def _note_place(self, partition: Partition) -> None:
        """Whether the metadata knows the directory that a replica lies in."""
        assert partition.state is not None
        if partition.state.directory_of(self._node_id) == partition.directory.id:
            self.unrecorded.pop(partition, None)
        else:
            self.unrecorded[partition] = None

    def moved(self, partition: Partition) -> None:
        """A replica lies in another directory now."""
        self.log_starts_moved = True
        self._note_place(partition)

    def follow_settings(self) -> None:
        """The broker's settings changed: they are the defaults of every topic."""
        before, now = self._topic_settings, topic_settings.TopicSettings(self._settings)
        if before.values({}) == now.values({}):
            return
        self._topic_settings = now
        if self._image is not None:
            for name in {partition.topic for partition in self._by_name.values()}:
                self._apply_config(name, self._image)

    def _apply_config(self, name: str, image: MetadataImage) -> None:
        topic = image.topics_by_name.get(name)
        if topic is None:
            return
        config, min_insync_replicas = self._settings_of(topic)
        for index in range(len(topic.partitions)):
            partition = self._by_id.get((topic.topic_id, index))
            if partition is not None:
                partition.configure(config, min_insync_replicas=min_insync_replicas)

    def _settings_of(self, topic: TopicImage) -> tuple[LogConfig, int]:
        """What the topic's settings mean to its logs, and its `min.insync.replicas`."""
        assert self._image is not None
        texts = self._image.topic_configs(topic.name)
        self._tell_unusable(topic.name, texts)
        values = self._topic_settings.values(texts)
        min_insync_replicas = values[topic_settings.MIN_INSYNC_REPLICAS.name]
        assert isinstance(min_insync_replicas, int)
        return LogConfig.from_values(values), min_insync_replicas

    def _tell_unusable(self, topic: str, texts: Mapping[str, str]) -> None:
        """Each once: the log may be one that Kafka, or another version, has written."""
        for name in texts.keys() - topic_settings.usable(texts).keys():
            unusable = topic, name, texts[name]
            if unusable not in self._told_unusable:
                self._told_unusable.add(unusable)
                log.warning(
                    "a setting of a topic has no effect here",
                    extra={"topic": topic, "setting": name, "value": texts[name]},
                )

    # -- deleting --------------------------------------------------------------------------------

    def _delete_topic(self, topic: TopicImage, now_ms: int) -> None:
        gone = []
        for index in range(len(topic.partitions)):
            partition = self._forget(topic, index)
            if partition is not None:
                partition.take_offline(
                    "its topic was deleted", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                )
                self._free(partition, now_ms + partition.log.config.file_delete_delay_ms)
                gone.append(partition)
        self._sync_names(gone)

    def _drop(self, topic: TopicImage, index: int) -> None:
        """The partition moved away from this node."""
        partition = self._forget(topic, index)
        if partition is not None:
            partition.take_offline("it moved to other nodes", ErrorCode.NOT_LEADER_OR_FOLLOWER)
            self._free(partition, 0)
            self._sync_names([partition])

    def _free(self, partition: Partition, due_ms: int) -> None:
        """Let the disk have its space back. Where it refuses, the other partitions go on."""
        try:
            self.folders.retire(partition.log, partition.directory, due_ms)
        except OSError as error:
            log.error(  # noqa: TRY400 # the cause is in the message; a person must act
                "a partition is gone, but its folder stays on the disk: %s",
                error,
                extra={"folder": partition.log.directory},
            )
            partition.directory.suspect(error)

    def _sync_names(self, gone: Iterable[Partition]) -> None:
        for directory in dict.fromkeys(partition.directory for partition in gone):
            self.folders.sync_names(directory)

    def _forget(self, topic: TopicImage, index: int) -> Partition | None:
        self._unopened.pop((topic.topic_id, index), None)
        self._roomless.pop((topic.topic_id, index), None)
        self._unusable.discard((topic.topic_id, index))
        partition = self._by_id.pop((topic.topic_id, index), None)
        if partition is not None:
            partition.directory.replica_count -= 1
            self.unrecorded.pop(partition, None)
        # The name may already belong to a new topic.
        if partition is not None and self._by_name.get((topic.name, index)) is partition:
            del self._by_name[topic.name, index]
        return partition

    # -- failing and stopping --------------------------------------------------------------------

    def directory_failed(self, directory: LogDirectory) -> int:
        """Take offline what lies in a directory that cannot be used any more; how many that are."""
        lost = [partition for partition in self if partition.directory is directory]
        for partition in lost:
            if partition.offline_reason is None:
                partition.take_offline(f"its directory failed: {directory.failure}")
        return len(lost)

    def close(self) -> None:
        """Flush and close every log; `unsound` of each directory says how that went."""
        for partition in self:
            if partition.directory.failure is not None:
                partition.log.abandon()
                continue
            try:
                partition.log.close()
            except StorageError as error:
                partition.directory.unsound.add(partition.key)
                log.error(  # noqa: TRY400 # the cause is in the message; a person must act
                    "a partition could not be flushed: %s",
                    error.message,
                    extra={"partition": str(partition)},
                )
            if partition.offline_reason is not None:
                partition.directory.unsound.add(partition.key)


def _why_missing(
    topic: TopicImage | None, index: int, node_id: NodeId, unknown_topic: ErrorCode
) -> ErrorCode:
    """Why a partition that the metadata may or may not know is not served here."""
    if topic is None:
        return unknown_topic
    if not 0 <= index < len(topic.partitions):
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if node_id in topic.partitions[index].replicas:
        return ErrorCode.KAFKA_STORAGE_ERROR  # its log could not be opened
    return ErrorCode.NOT_LEADER_OR_FOLLOWER
