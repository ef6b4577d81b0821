"""The settings of a topic: Kafka's 36, with its names, defaults and bounds.

Source: Apache Kafka 4.4's topic configs, KIP-226 (layers), KIP-1241 and KIP-1191 (the newest
three). A broker setting named as a synonym gives the value where a topic sets none; its
declaration is made from the one here.
"""

from __future__ import annotations

from collections.abc import Mapping

from ottla.settings.checks import at_least, between, between_or, each_one_of, one_of, replica_list
from ottla.settings.engine import (
    Change,
    ConfigSource,
    Layer,
    Layers,
    Resolved,
    Setting,
    SettingError,
    SettingTable,
    Synonym,
)
from ottla.settings.values import LONG_MAX, SettingKind, Value

SETTINGS = SettingTable("topic setting", change=Change.CLUSTER_WIDE)

_BOOLEAN, _INT, _LONG = SettingKind.BOOLEAN, SettingKind.INT, SettingKind.LONG
_MIB = 1024 * 1024
_MINUTE_MS = 60 * 1000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS

SEGMENT_BYTES = SETTINGS.declare(
    _INT,
    "segment.bytes",
    1024 * _MIB,
    "Size at which a partition starts a new segment file. Retention and compaction work on whole "
    "segments, so larger ones mean fewer files and coarser deletion.",
    check=at_least(_MIB),
    synonyms=[Synonym("log.segment.bytes")],
)
SEGMENT_MS = SETTINGS.declare(
    _LONG,
    "segment.ms",
    7 * _DAY_MS,
    "Age in milliseconds at which a segment is closed although it is not full, so that retention "
    "and compaction reach data of slow topics too.",
    check=at_least(1),
    synonyms=[Synonym("log.roll.ms"), Synonym("log.roll.hours", _HOUR_MS)],
)
SEGMENT_JITTER_MS = SETTINGS.declare(
    _LONG,
    "segment.jitter.ms",
    0,
    "Largest random number of milliseconds taken off segment.ms, so that segments of many "
    "partitions are not closed at the same moment.",
    check=at_least(0),
    synonyms=[Synonym("log.roll.jitter.ms"), Synonym("log.roll.jitter.hours", _HOUR_MS)],
)
SEGMENT_INDEX_BYTES = SETTINGS.declare(
    _INT,
    "segment.index.bytes",
    10 * _MIB,
    "Largest size of a segment's index files; a full index closes the segment.",
    check=at_least(4),
    synonyms=[Synonym("log.index.size.max.bytes")],
)
FLUSH_MESSAGES = SETTINGS.declare(
    _LONG,
    "flush.messages",
    LONG_MAX,
    "Records after which the log is forced to disk. By default the operating system decides, and "
    "replicas on other hosts are what keeps records safe.",
    check=at_least(1),
    synonyms=[Synonym("log.flush.interval.messages")],
)
FLUSH_MS = SETTINGS.declare(
    _LONG,
    "flush.ms",
    LONG_MAX,
    "Milliseconds after which written records are forced to disk. By default the operating system "
    "decides.",
    check=at_least(0),
    synonyms=[Synonym("log.flush.interval.ms"), Synonym("log.flush.scheduler.interval.ms")],
)
RETENTION_BYTES = SETTINGS.declare(
    _LONG,
    "retention.bytes",
    -1,
    "Size that each partition may reach before its oldest segments are deleted; -1 for no limit. "
    "Counts only with the cleanup policy delete.",
    synonyms=[Synonym("log.retention.bytes")],
)
RETENTION_MS = SETTINGS.declare(
    _LONG,
    "retention.ms",
    7 * _DAY_MS,
    "Age in milliseconds at which records may be deleted; -1 keeps them for ever. Counts only with "
    "the cleanup policy delete.",
    check=at_least(-1),
    synonyms=[
        Synonym("log.retention.ms"),
        Synonym("log.retention.minutes", _MINUTE_MS),
        Synonym("log.retention.hours", _HOUR_MS),
    ],
)
MAX_MESSAGE_BYTES = SETTINGS.declare(
    _INT,
    "max.message.bytes",
    _MIB + 12,
    "Largest record batch that is accepted, after compression.",
    check=at_least(0),
    synonyms=[Synonym("message.max.bytes")],
)
INDEX_INTERVAL_BYTES = SETTINGS.declare(
    _INT,
    "index.interval.bytes",
    4096,
    "Log bytes between two entries of the offset index. Smaller values find an offset with less "
    "reading and make larger index files.",
    check=at_least(0),
    synonyms=[Synonym("log.index.interval.bytes")],
)
DELETE_RETENTION_MS = SETTINGS.declare(
    _LONG,
    "delete.retention.ms",
    _DAY_MS,
    "Milliseconds that a tombstone of a compacted topic is kept, which is how long a consumer that "
    "reads from the start may take and still see every deletion.",
    check=at_least(0),
    synonyms=[Synonym("log.cleaner.delete.retention.ms")],
)
MIN_COMPACTION_LAG_MS = SETTINGS.declare(
    _LONG,
    "min.compaction.lag.ms",
    0,
    "Milliseconds that a record stays as it was written before compaction may touch it.",
    check=at_least(0),
    synonyms=[Synonym("log.cleaner.min.compaction.lag.ms")],
)
MAX_COMPACTION_LAG_MS = SETTINGS.declare(
    _LONG,
    "max.compaction.lag.ms",
    LONG_MAX,
    "Milliseconds after which a record is compacted, however little there is to clean.",
    check=at_least(1),
    synonyms=[Synonym("log.cleaner.max.compaction.lag.ms")],
)
FILE_DELETE_DELAY_MS = SETTINGS.declare(
    _LONG,
    "file.delete.delay.ms",
    _MINUTE_MS,
    "Milliseconds between renaming a file for deletion and deleting it, so that readers finish.",
    check=at_least(0),
    synonyms=[Synonym("log.segment.delete.delay.ms")],
)
MIN_CLEANABLE_DIRTY_RATIO = SETTINGS.declare(
    SettingKind.DOUBLE,
    "min.cleanable.dirty.ratio",
    0.5,
    "Share of a compacted log that must be uncleaned before it is compacted again. Higher values "
    "do less work and waste more space.",
    check=between(0, 1),
    synonyms=[Synonym("log.cleaner.min.cleanable.ratio")],
)
CLEANUP_POLICY: Setting[tuple[str, ...]] = SETTINGS.declare(
    SettingKind.LIST,
    "cleanup.policy",
    ("delete",),
    "What happens to old records: 'delete' removes segments by age and size, 'compact' keeps the "
    "last record of each key, both together do both. An empty list keeps everything.",
    check=each_one_of("compact", "delete"),
    synonyms=[Synonym("log.cleanup.policy")],
)
UNCLEAN_LEADER_ELECTION_ENABLE = SETTINGS.declare(
    _BOOLEAN,
    "unclean.leader.election.enable",
    default=False,
    doc="Whether a replica that lacks acknowledged records may lead when no other is left. "
    "It makes the partition available again and loses those records.",
    synonyms=[Synonym("unclean.leader.election.enable")],
)
MIN_INSYNC_REPLICAS = SETTINGS.declare(
    _INT,
    "min.insync.replicas",
    1,
    "Replicas, the leader among them, that must hold a record before acks=all is answered; with "
    "fewer in sync such writes are refused.",
    check=at_least(1),
    synonyms=[Synonym("min.insync.replicas")],
)
COMPRESSION_TYPE = SETTINGS.declare(
    SettingKind.STRING,
    "compression.type",
    "producer",
    "Codec of the batches on disk; 'producer' keeps what the producer chose, anything else "
    "recompresses where it differs.",
    check=one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
    synonyms=[Synonym("compression.type")],
)
COMPRESSION_GZIP_LEVEL = SETTINGS.declare(
    _INT,
    "compression.gzip.level",
    -1,
    "Level when the broker compresses with gzip; -1 is the library's own default.",
    check=between_or(1, 9, -1),
    synonyms=[Synonym("compression.gzip.level")],
)
COMPRESSION_LZ4_LEVEL = SETTINGS.declare(
    _INT,
    "compression.lz4.level",
    9,
    "Level when the broker compresses with lz4.",
    check=between(1, 17),
    synonyms=[Synonym("compression.lz4.level")],
)
COMPRESSION_ZSTD_LEVEL = SETTINGS.declare(
    _INT,
    "compression.zstd.level",
    3,
    "Level when the broker compresses with zstd.",
    check=between(-131072, 22),
    synonyms=[Synonym("compression.zstd.level")],
)
PREALLOCATE = SETTINGS.declare(
    _BOOLEAN,
    "preallocate",
    default=False,
    doc="Whether a new segment file takes its full size on disk at once.",
    synonyms=[Synonym("log.preallocate")],
)
MESSAGE_TIMESTAMP_TYPE = SETTINGS.declare(
    SettingKind.STRING,
    "message.timestamp.type",
    "CreateTime",
    "Whose clock a record's timestamp is: the producer's (CreateTime), or the broker's at the "
    "moment of appending (LogAppendTime).",
    check=one_of("CreateTime", "LogAppendTime"),
    synonyms=[Synonym("log.message.timestamp.type")],
)
MESSAGE_TIMESTAMP_BEFORE_MAX_MS = SETTINGS.declare(
    _LONG,
    "message.timestamp.before.max.ms",
    LONG_MAX,
    "Milliseconds that a producer's timestamp may lie before the broker's clock; records beyond "
    "are refused. Without effect under LogAppendTime.",
    check=at_least(0),
    synonyms=[Synonym("log.message.timestamp.before.max.ms")],
)
MESSAGE_TIMESTAMP_AFTER_MAX_MS = SETTINGS.declare(
    _LONG,
    "message.timestamp.after.max.ms",
    _HOUR_MS,
    "Milliseconds that a producer's timestamp may lie after the broker's clock; records beyond "
    "are refused. Without effect under LogAppendTime.",
    check=at_least(0),
    synonyms=[Synonym("log.message.timestamp.after.max.ms")],
)
LEADER_REPLICATION_THROTTLED_REPLICAS: Setting[tuple[str, ...]] = SETTINGS.declare(
    SettingKind.LIST,
    "leader.replication.throttled.replicas",
    (),
    "Replicas, as partition:broker pairs or * for all, whose reads the leader slows down to the "
    "replication quota.",
    check=replica_list,
)
FOLLOWER_REPLICATION_THROTTLED_REPLICAS: Setting[tuple[str, ...]] = SETTINGS.declare(
    SettingKind.LIST,
    "follower.replication.throttled.replicas",
    (),
    "Replicas, as partition:broker pairs or * for all, that fetch no faster than the replication "
    "quota.",
    check=replica_list,
)
REMOTE_STORAGE_ENABLE = SETTINGS.declare(
    _BOOLEAN,
    "remote.storage.enable",
    default=False,
    doc="Whether closed segments are also kept in remote storage.",
)
LOCAL_RETENTION_MS = SETTINGS.declare(
    _LONG,
    "local.retention.ms",
    -2,
    "Milliseconds that a segment stays on the broker once it is in remote storage; -2 takes "
    "retention.ms.",
    check=at_least(-2),
    synonyms=[Synonym("log.local.retention.ms")],
)
LOCAL_RETENTION_BYTES = SETTINGS.declare(
    _LONG,
    "local.retention.bytes",
    -2,
    "Size of a partition that stays on the broker once it is in remote storage; -2 takes "
    "retention.bytes.",
    check=at_least(-2),
    synonyms=[Synonym("log.local.retention.bytes")],
)
REMOTE_LOG_COPY_DISABLE = SETTINGS.declare(
    _BOOLEAN,
    "remote.log.copy.disable",
    default=False,
    doc="Whether no further segments go to remote storage, while those there stay readable.",
)
REMOTE_COPY_LAG_MS = SETTINGS.declare(
    _LONG,
    "remote.copy.lag.ms",
    0,
    "Milliseconds that a closed segment waits before it is copied to remote storage; 0 copies it "
    "at once, -1 sets no condition of age.",
    check=at_least(-1),
    synonyms=[Synonym("log.remote.copy.lag.ms")],
)
REMOTE_COPY_LAG_BYTES = SETTINGS.declare(
    _LONG,
    "remote.copy.lag.bytes",
    -1,
    "Size of newer segments that a closed one waits for before it is copied to remote storage; -1 "
    "sets no condition of size.",
    check=at_least(-1),
    synonyms=[Synonym("log.remote.copy.lag.bytes")],
)
REMOTE_LOG_DELETE_ON_DISABLE = SETTINGS.declare(
    _BOOLEAN,
    "remote.log.delete.on.disable",
    default=False,
    doc="Whether turning remote storage off deletes what is there.",
)
ERRORS_DEADLETTERQUEUE_GROUP_ENABLE = SETTINGS.declare(
    _BOOLEAN,
    "errors.deadletterqueue.group.enable",
    default=False,
    doc="Whether the topic may take records that a share group could not process.",
)


def check_together(values: Mapping[str, Value]) -> None:
    """Refuse values that are right each for itself but not together. Raises SettingError.

    `values` are all values in force, as `TopicSettings.values` gives them.
    """
    low, high = values[MIN_COMPACTION_LAG_MS.name], values[MAX_COMPACTION_LAG_MS.name]
    assert isinstance(low, int)
    assert isinstance(high, int)
    if low > high:
        raise SettingError(
            f"{MIN_COMPACTION_LAG_MS.name}={low} is above {MAX_COMPACTION_LAG_MS.name}={high}: "
            "lower the first or raise the second"
        )
    if values[REMOTE_STORAGE_ENABLE.name]:
        raise SettingError(
            f"{REMOTE_STORAGE_ENABLE.name}=true needs tiered storage, which this broker does not "
            "have: leave it false"
        )


def usable(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts that count: a log may carry those of Kafka, or of another version."""
    return SETTINGS.usable(texts, changes=(Change.CLUSTER_WIDE,)) if texts else {}


class TopicSettings:
    """What topics of one broker are set to: their own texts over the broker's settings.

    Cheap for the many topics that set nothing: they share one mapping.
    """

    def __init__(self, broker: Layers) -> None:
        self.broker = broker
        self._defaults: Mapping[str, Value] | None = None

    def values(self, texts: Mapping[str, str]) -> Mapping[str, Value]:
        """All values in force, by key, of a topic that sets `texts`.

        Texts that are not `usable` count as not set. The answer may be shared: never change it.
        """
        if self._defaults is None:
            self._defaults = Layers(SETTINGS, [], self.broker).values()
        taken = usable(texts)
        return {**self._defaults, **SETTINGS.parse_all(taken)} if taken else self._defaults

    def check(self, texts: Mapping[str, str]) -> None:
        """Refuse what a topic may not be set to; unknown keys are passed over. SettingError."""
        SETTINGS.parse_all({name: text for name, text in texts.items() if name in SETTINGS})
        check_together(self.values(texts))

    def layers(self, texts: Mapping[str, str]) -> Layers:
        """A topic's settings over those of the broker; texts that are not `usable` are not set."""
        layer = Layer(ConfigSource.DYNAMIC_TOPIC, usable(texts))
        return Layers(SETTINGS, [layer], self.broker)

    def resolve(self, setting: Setting[Value], texts: Mapping[str, str]) -> Resolved:
        """One value in force and where it comes from."""
        return self.layers(texts).resolve(setting)
