"""What a topic's settings mean to its log: typed, frozen, replaced as a whole when they change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from ottla.base.limits import MIB
from ottla.wire.records.compression import Codec
from ottla.wire.records.header import TimestampType

_INT64_MAX: Final = (1 << 63) - 1

_SETTINGS: Final = {
    "segment.bytes": "segment_bytes",
    "segment.ms": "segment_ms",
    "segment.jitter.ms": "segment_jitter_ms",
    "segment.index.bytes": "segment_index_bytes",
    "index.interval.bytes": "index_interval_bytes",
    "max.message.bytes": "max_message_bytes",
    "message.timestamp.before.max.ms": "timestamp_before_max_ms",
    "message.timestamp.after.max.ms": "timestamp_after_max_ms",
    "compression.gzip.level": "gzip_level",
    "compression.lz4.level": "lz4_level",
    "compression.zstd.level": "zstd_level",
    "flush.messages": "flush_messages",
    "flush.ms": "flush_ms",
    "retention.ms": "retention_ms",
    "retention.bytes": "retention_bytes",
    "file.delete.delay.ms": "file_delete_delay_ms",
    "delete.retention.ms": "delete_retention_ms",
    "min.compaction.lag.ms": "compaction_lag_ms_min",
    "max.compaction.lag.ms": "compaction_lag_ms_max",
    "min.cleanable.dirty.ratio": "dirty_ratio_min",
}
"""Settings whose parsed value is the field's value as it is."""


FLUSH_NEVER: Final = _INT64_MAX
"""`flush.messages` and `flush.ms` where nobody says otherwise."""


class LogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Kafka's defaults; sizes in bytes, times in milliseconds.

    `codec` is None where batches keep what the producer chose (`compression.type=producer`).
    `is_compacted` and `is_log_append_time` follow from the other fields and cannot be given.
    `preallocate` is accepted by the settings and has no effect: files grow at their end here.
    """

    segment_bytes: int = 1024 * MIB
    segment_ms: int = 604_800_000
    segment_jitter_ms: int = 0
    segment_index_bytes: int = 10 * MIB
    index_interval_bytes: int = 4096
    max_message_bytes: int = 1_048_588
    timestamp_type: TimestampType = TimestampType.CREATE_TIME
    timestamp_before_max_ms: int = _INT64_MAX
    timestamp_after_max_ms: int = 3_600_000
    codec: Codec | None = None
    gzip_level: int = -1
    lz4_level: int = 9
    zstd_level: int = 3
    flush_messages: int = FLUSH_NEVER
    flush_ms: int = FLUSH_NEVER
    retention_ms: int = 604_800_000
    retention_bytes: int = -1
    cleanup_policy: tuple[str, ...] = ("delete",)
    file_delete_delay_ms: int = 60_000
    delete_retention_ms: int = 86_400_000
    compaction_lag_ms_min: int = 0
    compaction_lag_ms_max: int = _INT64_MAX
    dirty_ratio_min: float = 0.5
    is_compacted: bool = False
    is_log_append_time: bool = False

    def __post_init__(self) -> None:
        # Fields, not properties: they are read for every batch that is appended.
        is_log_append_time = self.timestamp_type is TimestampType.LOG_APPEND_TIME
        msgspec.structs.force_setattr(self, "is_compacted", "compact" in self.cleanup_policy)
        msgspec.structs.force_setattr(self, "is_log_append_time", is_log_append_time)

    @classmethod
    def from_values(cls, values: Mapping[str, object]) -> LogConfig:
        """From parsed topic settings by Kafka's names; missing ones take Kafka's default.

        Settings that do not concern the log are ignored. ValueError for a word it cannot know.
        """
        fields: dict[str, object] = {
            field: values[name] for name, field in _SETTINGS.items() if name in values
        }
        if "message.timestamp.type" in values:
            fields["timestamp_type"] = _timestamp_type(str(values["message.timestamp.type"]))
        if "compression.type" in values:
            fields["codec"] = _codec(str(values["compression.type"]))
        if "cleanup.policy" in values:
            fields["cleanup_policy"] = _words(values["cleanup.policy"])
        return msgspec.convert(fields, cls)

    def level_of(self, codec: Codec) -> int | None:
        """The topic's compression level for a codec; None where the codec has none."""
        return {
            Codec.GZIP: self.gzip_level,
            Codec.LZ4: self.lz4_level,
            Codec.ZSTD: self.zstd_level,
        }.get(codec)


def _timestamp_type(word: str) -> TimestampType:
    match word:
        case "CreateTime":
            return TimestampType.CREATE_TIME
        case "LogAppendTime":
            return TimestampType.LOG_APPEND_TIME
    raise ValueError(f"message.timestamp.type is CreateTime or LogAppendTime, not {word!r}")


def _codec(word: str) -> Codec | None:
    if word == "producer":
        return None
    name = "NONE" if word == "uncompressed" else word.upper()
    if name not in Codec.__members__:
        raise ValueError(f"compression.type {word!r} is no codec of Kafka")
    return Codec[name]


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    assert isinstance(value, Iterable), f"cleanup.policy is a list, not {value!r}"
    return tuple(str(word) for word in value)
