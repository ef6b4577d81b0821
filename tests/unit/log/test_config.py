from __future__ import annotations

import pytest

from ottla.log.config import LogConfig
from ottla.wire.records.batch import TimestampType
from ottla.wire.records.compression import Codec


def test_settings_by_kafkas_names() -> None:
    config = LogConfig.from_values(
        {
            "segment.bytes": 1_048_576,
            "cleanup.policy": ["compact", "delete"],
            "message.timestamp.type": "LogAppendTime",
            "compression.type": "zstd",
            "compression.zstd.level": 7,
            "min.cleanable.dirty.ratio": 0.1,
            "min.insync.replicas": 2,
        }
    )
    assert config.segment_bytes == 1_048_576
    assert config.cleanup_policy == ("compact", "delete")
    assert config.is_compacted
    assert config.timestamp_type is TimestampType.LOG_APPEND_TIME
    assert config.is_log_append_time
    assert config.codec is Codec.ZSTD
    assert config.level_of(Codec.ZSTD) == 7
    assert config.level_of(Codec.SNAPPY) is None
    assert config.dirty_ratio_min == 0.1
    assert config.max_message_bytes == 1_048_588


def test_the_words_of_compression_type() -> None:
    assert LogConfig.from_values({"compression.type": "producer"}).codec is None
    assert LogConfig.from_values({"compression.type": "uncompressed"}).codec is Codec.NONE
    with pytest.raises(ValueError, match="brotli"):
        LogConfig.from_values({"compression.type": "brotli"})


def test_cleanup_policies_as_text_and_none_at_all() -> None:
    assert LogConfig.from_values({"cleanup.policy": "compact, delete"}).is_compacted
    assert LogConfig.from_values({"cleanup.policy": ""}).cleanup_policy == ()
    assert not LogConfig().is_compacted


def test_unknown_words_are_refused() -> None:
    with pytest.raises(ValueError, match="LogAppendTime"):
        LogConfig.from_values({"message.timestamp.type": "Whenever"})
