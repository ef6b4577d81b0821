"""What of a data directory that Apache Kafka has left will carry over, told beforehand.

Reads, and changes nothing. One `Item` a subject; a directory can be moved into where none blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from ottla.base.errors import ProtocolError
from ottla.base.ids import format_uuid
from ottla.base.world import Disk
from ottla.log import checkpoints, names
from ottla.log.checkpoints import MetaProperties
from ottla.log.inspection.directory_check import TopicFacts, is_closed
from ottla.log.inspection.scan import Whole, scan
from ottla.metadata.features import SUPPORTED, unsupported_features
from ottla.metadata.image import ConfigResource, MetadataImage, ResourceType, TopicImage
from ottla.quorum.offline import OfflineMetadata, read_offline
from ottla.settings import broker as broker_settings
from ottla.settings import client_metrics as client_metrics_settings
from ottla.settings import group as group_settings
from ottla.settings import topic as topic_settings
from ottla.settings.engine import FOR_ALL_BROKERS, FOR_ONE_BROKER, SettingTable
from ottla.wire.payloads.internal_topics import (
    CONSUMER_OFFSETS,
    COORDINATOR_TOPICS,
    TRANSACTION_STATE,
)
from ottla.wire.payloads.offset_commits import OffsetCommitKey
from ottla.wire.payloads.transaction_log import TransactionLogKey, TransactionLogValue
from ottla.wire.records.header import HEADER_SIZE, LENGTH_OVERHEAD, MAGIC, MAGIC_AT
from ottla.wire.records.record import Record, iter_records
from ottla.wire.schema import Payload

_METADATA_VERSION: Final = "metadata.version"
_TIERED: Final = "remote.storage.enable"
_TXN_STATES: Final = {1: "open", 2: "being committed", 3: "being aborted"}
"""States of a transaction that is not over, by Kafka's numbers."""
_KEPT_WORDS: Final = {
    "acl": ("ACLs", "kept; not enforced unless authorizer.class.name is set"),
    "scram": ("SCRAM credentials", "kept; nobody is asked for them"),
    "quota": ("client quotas", "kept; not enforced"),
    "token": ("delegation tokens", "kept; nobody is asked for them"),
    "controller": ("controller registrations", "kept"),
}
_TABLES: Final[dict[int, SettingTable]] = {
    ResourceType.TOPIC: topic_settings.SETTINGS,
    ResourceType.BROKER: broker_settings.SETTINGS,
    ResourceType.CLIENT_METRICS: client_metrics_settings.SETTINGS,
    ResourceType.GROUP: group_settings.SETTINGS,
}


class Fate(StrEnum):
    """What becomes of something."""

    CARRIES = "carries over"
    NOTE = "note"
    BLOCKS = "blocks"


class Item(NamedTuple):
    """One subject and what becomes of it."""

    fate: Fate
    subject: str
    detail: str


def topic_facts(disk: Disk, data_directory: str) -> dict[str, TopicFacts]:
    """What the metadata says of each topic; nothing where there is no metadata."""
    if not disk.exists(f"{data_directory}/__cluster_metadata-0"):
        return {}
    image = read_offline(data_directory, disk).image
    return {
        name: TopicFacts(
            topic.topic_id,
            compacted="compact" in image.topic_configs(name).get("cleanup.policy", ""),
        )
        for name, topic in image.topics_by_name.items()
    }


def check_moving_in(disk: Disk, data_directory: str, *, in_use: bool) -> list[Item]:
    """Every item, those that block among them. Raises OSError where the folder is unreadable."""
    items = [*_check_stop(disk, data_directory, in_use=in_use)]
    meta = _read_meta(disk, data_directory)
    if isinstance(meta, Item):
        return [*items, meta]
    ids = f"node {meta.node_id} of the cluster {meta.cluster_id}, directory "
    items.append(Item(Fate.CARRIES, "ids", ids + format_uuid(meta.directory_id)))
    metadata = read_offline(data_directory, disk, cluster_id=meta.cluster_id)
    image = metadata.image
    folders = {name for name in disk.list_dir(data_directory) if names.folder_partition(name)}
    return [
        *items,
        *_check_log(metadata),
        *_check_features(image),
        *_check_nodes(metadata, meta.node_id),
        *_check_directories(image, meta),
        *_check_topics(disk, data_directory, image, meta, folders),
        *_check_configs(image),
        *_check_kept(image),
        *_check_groups(disk, data_directory, folders),
        *_check_transactions(disk, data_directory, folders),
        *_check_formats(disk, data_directory, folders),
    ]


# --- the directory and its node ---


def _check_stop(disk: Disk, directory: str, *, in_use: bool) -> Iterator[Item]:
    if in_use:
        detail = "a broker is using the directory: stop it, and let it end in order"
        yield Item(Fate.BLOCKS, "lock", detail)
    elif is_closed(disk, directory):
        yield Item(Fate.CARRIES, "last stop", "in order")
    else:
        detail = "not in order: the first start checks what was not flushed, and cuts torn tails"
        yield Item(Fate.NOTE, "last stop", detail)


def _read_meta(disk: Disk, directory: str) -> MetaProperties | Item:
    path = f"{directory}/{checkpoints.META_PROPERTIES}"
    try:
        return checkpoints.decode_meta_properties(disk.read_file(path))
    except (OSError, ValueError) as error:
        return Item(Fate.BLOCKS, "ids", f"{path} cannot be read: {error}")


def _check_log(metadata: OfflineMetadata) -> Iterator[Item]:
    for name, count in Counter(metadata.unknown).items():
        yield Item(Fate.BLOCKS, "metadata records", f"{count} are not known here: {name}")
    for problem in metadata.problems:
        yield Item(Fate.BLOCKS, "metadata log", problem)
    if not metadata.unknown and not metadata.problems:
        detail = f"up to offset {metadata.image.next_offset}; written on in the same format"
        yield Item(Fate.CARRIES, "metadata log", detail)


def _check_features(image: MetadataImage) -> Iterator[Item]:
    refused = unsupported_features(image)
    for name, level in sorted(image.features.items()):
        supported = SUPPORTED.get(name)
        if name in refused:
            most = supported.max if supported else 0
            detail = f"level {level}, and this release knows up to {most}"
            yield Item(Fate.BLOCKS, name, detail)
        elif name == _METADATA_VERSION and supported and level < supported.max:
            detail = f"level {level}; records are written as of level {supported.max}: a Kafka of "
            yield Item(Fate.NOTE, name, detail + "before 4.3 will not read them again")
        else:
            yield Item(Fate.CARRIES, name, f"level {level}")


def _check_nodes(metadata: OfflineMetadata, node_id: int) -> Iterator[Item]:
    voters = metadata.voters.ids
    if voters - {node_id}:
        detail = f"nodes {sorted(voters)} vote: a node of a larger quorum cannot go on alone"
        yield Item(Fate.BLOCKS, "quorum", detail)
    else:
        where = "in the log" if metadata.voters.in_log is not None else "fixed"
        yield Item(Fate.CARRIES, "quorum", f"this node alone ({where})")
    others = sorted(set(metadata.image.brokers) - {node_id})
    if others:
        detail = f"brokers {others} are registered, too: unregister them first"
        yield Item(Fate.BLOCKS, "brokers", detail)
    broker = metadata.image.brokers.get(node_id)
    if broker is None:
        yield Item(Fate.NOTE, "brokers", f"node {node_id} has not served as a broker")


def _check_directories(image: MetadataImage, meta: MetaProperties) -> Iterator[Item]:
    broker = image.brokers.get(meta.node_id)
    count = len(broker.log_directories) if broker else 1
    if count > 1:
        detail = f"the broker has {count}: check each, and give all of them in log.dirs"
        yield Item(Fate.NOTE, "data directories", detail)


# --- topics ---


def _check_topics(
    disk: Disk, directory: str, image: MetadataImage, meta: MetaProperties, folders: set[str]
) -> Iterator[Item]:
    for topic in image.topics_by_name.values():
        yield from _check_topic(disk, directory, topic, meta, folders)
        if image.topic_configs(topic.name).get(_TIERED) == "true":
            detail = "tiered: what only the remote storage holds cannot be read"
            yield Item(Fate.BLOCKS, f"topic {topic.name}", detail)
    known = {
        f"{topic.name}-{index}"
        for topic in image.topics_by_name.values()
        for index in range(len(topic.partitions))
    }
    for folder in sorted(folders - known - {"__cluster_metadata-0"}):
        detail = "a folder of no topic: the start renames it to …-stray, and it is not served"
        yield Item(Fate.NOTE, folder, detail)


def _check_topic(
    disk: Disk, directory: str, topic: TopicImage, meta: MetaProperties, folders: set[str]
) -> Iterator[Item]:
    subject = f"topic {topic.name}"
    missing = []
    for index, partition in enumerate(topic.partitions):
        folder = f"{topic.name}-{index}"
        if folder in folders:
            stated = _topic_id_of(disk, f"{directory}/{folder}")
            if stated not in (None, topic.topic_id):
                yield Item(Fate.BLOCKS, subject, f"{folder} belongs to another topic of this name")
        elif partition.directory_of(meta.node_id) == meta.directory_id:
            missing.append(folder)
    if missing:
        detail = f"no folder {', '.join(missing)}: what it held is not here, and it would be empty"
        yield Item(Fate.BLOCKS, subject, detail)
    detail = f"{len(topic.partitions)} partitions, id {format_uuid(topic.topic_id)}"
    yield Item(Fate.CARRIES, subject, detail)


def _topic_id_of(disk: Disk, folder: str) -> bytes | None:
    try:
        content = disk.read_file(f"{folder}/{names.PARTITION_METADATA}")
        return checkpoints.decode_partition_metadata(content)
    except (OSError, ValueError):
        return None


def _check_configs(image: MetadataImage) -> Iterator[Item]:
    for resource, texts in image.configs.items():
        kind = ResourceType(resource.type).name.lower().replace("_", " ")
        subject = f"configs of {kind} {resource.name or 'default'}"
        ours = _followed(resource, texts)
        if ours:
            yield Item(Fate.CARRIES, subject, ", ".join(sorted(ours)))
        if unknown := sorted(texts.keys() - ours):
            yield Item(Fate.NOTE, subject, f"kept, without effect: {', '.join(unknown)}")


def _followed(resource: ConfigResource, texts: Mapping[str, str]) -> set[str]:
    """The settings that a running broker takes from its metadata."""
    table = _TABLES.get(resource.type)
    if table is None:
        return set()
    changes = FOR_ONE_BROKER if resource.name else FOR_ALL_BROKERS
    return set(table.usable(texts, changes=changes))


def _check_kept(image: MetadataImage) -> Iterator[Item]:
    counts = Counter(str(key[0]) for key in image.kept)
    for kind, count in sorted(counts.items()):
        subject, detail = _KEPT_WORDS[kind]
        fate = Fate.CARRIES if kind == "controller" else Fate.NOTE
        yield Item(fate, subject, f"{count}: {detail}")


# --- what lies in the logs ---


def _check_groups(disk: Disk, directory: str, folders: set[str]) -> Iterator[Item]:
    latest = _latest_values(disk, directory, folders, CONSUMER_OFFSETS)
    offsets = [key for key, value in latest if isinstance(key, OffsetCommitKey) and value]
    groups = {key.group for key in offsets}
    if offsets:
        detail = f"{len(offsets)} offsets of {len(groups)} groups, in {CONSUMER_OFFSETS}"
        yield Item(Fate.CARRIES, "group offsets", detail)


def _check_transactions(disk: Disk, directory: str, folders: set[str]) -> Iterator[Item]:
    latest = _latest_values(disk, directory, folders, TRANSACTION_STATE)
    count = 0
    for key, value in latest:
        if not isinstance(key, TransactionLogKey) or not isinstance(value, TransactionLogValue):
            continue
        count += 1
        state = _TXN_STATES.get(value.transaction_status)
        if state is not None:
            detail = f"{key.transactional_id} is {state}: end it with Kafka before the move, or "
            detail += "readers of committed records wait at it"
            yield Item(Fate.NOTE, "transactions", detail)
    if count:
        yield Item(Fate.CARRIES, "transactional ids", f"{count}, in {TRANSACTION_STATE}")


def _latest_values(
    disk: Disk, directory: str, folders: set[str], topic: str
) -> list[tuple[Payload, Payload | None]]:
    """The last value of each key that can be read; a removed one is None."""
    types = COORDINATOR_TOPICS[topic]
    found: dict[bytes, tuple[Payload, Payload | None]] = {}
    for folder in sorted(folders):
        key = names.folder_partition(folder)
        if key is None or key.topic != topic:
            continue
        for record in _records(disk, f"{directory}/{folder}"):
            if record.key is None:
                continue
            try:
                decoded = types.decode_key(record.key)
                value = record.value and types.decode_value(decoded.API_KEY, record.value)
            except ProtocolError:
                continue
            found[record.key] = (decoded, value or None)
    return list(found.values())


def _log_paths(disk: Disk, folder: str) -> list[str]:
    return [
        f"{folder}/{name}"
        for name in disk.list_dir(folder)
        if names.segment_base_offset(name) is not None
    ]


def _records(disk: Disk, folder: str) -> Iterator[Record]:
    for path in _log_paths(disk, folder):
        file = disk.open(path)
        try:
            for found in scan(file):
                if isinstance(found, Whole) and not found.header.is_control:
                    yield from iter_records(found.batch)
        finally:
            file.close()


def _check_formats(disk: Disk, directory: str, folders: set[str]) -> Iterator[Item]:
    """Headers only: a large directory takes seconds, not hours. `log verify` reads it all."""
    for folder in sorted(folders):
        for path in _log_paths(disk, f"{directory}/{folder}"):
            magic = _old_magic(disk, path)
            if magic is not None:
                detail = f"{path.rpartition('/')[2]} holds messages of format v{magic}, which is "
                detail += "not read here: let a Kafka of before 4.0 rewrite the topic"
                yield Item(Fate.BLOCKS, folder, detail)
                break


def _old_magic(disk: Disk, path: str) -> int | None:
    """The magic of the first message that is not of format v2, where there is one."""
    file = disk.open(path)
    try:
        position = 0
        while position + HEADER_SIZE <= file.size:
            head = file.read_at(position, MAGIC_AT + 1)
            length = int.from_bytes(head[8:LENGTH_OVERHEAD], "big", signed=True)
            if head[MAGIC_AT] < MAGIC and length > 0:
                return head[MAGIC_AT]
            if length <= 0:
                return None
            position += length + LENGTH_OVERHEAD
    finally:
        file.close()
    return None
