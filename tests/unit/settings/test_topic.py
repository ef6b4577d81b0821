"""The 36 topic settings, held against reference tables of Apache Kafka."""

import pytest

from ottla.settings import topic
from ottla.settings.broker import BrokerSettings
from ottla.settings.engine import ConfigSource, SettingError
from ottla.settings.topic import TopicSettings, check_together
from ottla.settings.values import SettingKind

LONG_MAX = 2**63 - 1

# Name, kind and default text, as DescribeConfigs of Apache Kafka answers them, and the first
# broker setting behind each. MAX is the largest long.
KAFKA = """
segment.bytes                            INT      1073741824  log.segment.bytes
segment.ms                               LONG     604800000   log.roll.ms
segment.jitter.ms                        LONG     0           log.roll.jitter.ms
segment.index.bytes                      INT      10485760    log.index.size.max.bytes
flush.messages                           LONG     MAX         log.flush.interval.messages
flush.ms                                 LONG     MAX         log.flush.interval.ms
retention.bytes                          LONG     -1          log.retention.bytes
retention.ms                             LONG     604800000   log.retention.ms
max.message.bytes                        INT      1048588     message.max.bytes
index.interval.bytes                     INT      4096        log.index.interval.bytes
delete.retention.ms                      LONG     86400000    log.cleaner.delete.retention.ms
min.compaction.lag.ms                    LONG     0           log.cleaner.min.compaction.lag.ms
max.compaction.lag.ms                    LONG     MAX         log.cleaner.max.compaction.lag.ms
file.delete.delay.ms                     LONG     60000       log.segment.delete.delay.ms
min.cleanable.dirty.ratio                DOUBLE   0.5         log.cleaner.min.cleanable.ratio
cleanup.policy                           LIST     delete      log.cleanup.policy
unclean.leader.election.enable           BOOLEAN  false       unclean.leader.election.enable
min.insync.replicas                      INT      1           min.insync.replicas
compression.type                         STRING   producer    compression.type
compression.gzip.level                   INT      -1          compression.gzip.level
compression.lz4.level                    INT      9           compression.lz4.level
compression.zstd.level                   INT      3           compression.zstd.level
preallocate                              BOOLEAN  false       log.preallocate
message.timestamp.type                   STRING   CreateTime  log.message.timestamp.type
message.timestamp.before.max.ms          LONG     MAX         log.message.timestamp.before.max.ms
message.timestamp.after.max.ms           LONG     3600000     log.message.timestamp.after.max.ms
leader.replication.throttled.replicas    LIST     ''          -
follower.replication.throttled.replicas  LIST     ''          -
remote.storage.enable                    BOOLEAN  false       -
local.retention.ms                       LONG     -2          log.local.retention.ms
local.retention.bytes                    LONG     -2          log.local.retention.bytes
remote.log.copy.disable                  BOOLEAN  false       -
remote.copy.lag.ms                       LONG     0           log.remote.copy.lag.ms
remote.copy.lag.bytes                    LONG     -1          log.remote.copy.lag.bytes
remote.log.delete.on.disable             BOOLEAN  false       -
errors.deadletterqueue.group.enable      BOOLEAN  false       -
"""
ROWS = [line.replace("MAX", str(LONG_MAX)).split() for line in KAFKA.strip().splitlines()]


@pytest.mark.parametrize(("name", "kind", "default", "synonym"), ROWS)
def test_each_setting_is_kafkas(name: str, kind: str, default: str, synonym: str) -> None:
    setting = topic.SETTINGS[name]
    assert setting.kind is SettingKind[kind]
    assert setting.default_text() == default.strip("'")
    assert setting.parse(default.strip("'")) == setting.default
    first = setting.synonyms[0].name if setting.synonyms else "-"
    assert first == synonym


def test_there_are_exactly_the_36_and_each_is_documented() -> None:
    assert {setting.name for setting in topic.SETTINGS} == {row[0] for row in ROWS}
    assert len(topic.SETTINGS) == 36
    assert all(len(setting.doc) > 30 and setting.doc.endswith(".") for setting in topic.SETTINGS)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("segment.bytes", "1048576", "1048575"),
        ("segment.ms", "1", "0"),
        ("segment.jitter.ms", "0", "-1"),
        ("segment.index.bytes", "4", "3"),
        ("flush.messages", "1", "0"),
        ("flush.ms", "0", "-1"),
        ("retention.ms", "-1", "-2"),
        ("max.message.bytes", "0", "-1"),
        ("index.interval.bytes", "0", "-1"),
        ("delete.retention.ms", "0", "-1"),
        ("min.compaction.lag.ms", "0", "-1"),
        ("max.compaction.lag.ms", "1", "0"),
        ("file.delete.delay.ms", "0", "-1"),
        ("min.cleanable.dirty.ratio", "1", "1.01"),
        ("min.cleanable.dirty.ratio", "0", "-0.01"),
        ("cleanup.policy", "compact,delete", "none"),
        ("min.insync.replicas", "1", "0"),
        ("compression.type", "uncompressed", "none"),
        ("compression.gzip.level", "-1", "0"),
        ("compression.gzip.level", "9", "10"),
        ("compression.lz4.level", "17", "18"),
        ("compression.lz4.level", "1", "0"),
        ("compression.zstd.level", "22", "23"),
        ("compression.zstd.level", "-131072", "-131073"),
        ("message.timestamp.type", "LogAppendTime", "logappendtime"),
        ("message.timestamp.before.max.ms", "0", "-1"),
        ("message.timestamp.after.max.ms", "0", "-1"),
        ("leader.replication.throttled.replicas", "*", "x"),
        ("follower.replication.throttled.replicas", "1:2,3:4", "1:2,*"),
        ("local.retention.ms", "-2", "-3"),
        ("local.retention.bytes", "-2", "-3"),
        ("remote.copy.lag.ms", "-1", "-2"),
        ("remote.copy.lag.bytes", "-1", "-2"),
    ],
)
def test_bounds_are_kafkas(name: str, good: str, bad: str) -> None:
    topic.SETTINGS[name].parse(good)
    with pytest.raises(SettingError, match=f"^{name} cannot be .*: "):
        topic.SETTINGS[name].parse(bad)


def test_retention_may_be_set_to_any_size() -> None:
    assert topic.RETENTION_BYTES.parse("-5") == -5


def test_an_empty_cleanup_policy_keeps_everything() -> None:
    assert topic.CLEANUP_POLICY.parse("") == ()


def test_topics_that_set_nothing_share_their_values() -> None:
    settings = TopicSettings(BrokerSettings({"log.retention.minutes": "3"}))
    assert settings.values({}) is settings.values({})
    assert settings.values({})["retention.ms"] == 180_000


def test_values_of_a_topic_lie_over_those_of_the_broker() -> None:
    settings = TopicSettings(BrokerSettings({"log.segment.bytes": "2097152"}))
    values = settings.values({"retention.ms": "5", "key.of.a.newer.version": "1"})
    assert (values["retention.ms"], values["segment.bytes"]) == (5, 2097152)
    assert len(values) == 36


def test_an_answer_to_describe_configs_has_all_layers() -> None:
    layers = BrokerSettings(
        {"log.retention.hours": "100"},
        dynamic={"log.retention.ms": "5"},
        dynamic_default={"log.retention.ms": "7000"},
    )
    resolved = TopicSettings(layers).resolve(topic.RETENTION_MS, {})
    assert (resolved.text, resolved.source) == ("5", ConfigSource.DYNAMIC_BROKER)
    assert [(place.name, place.text, int(place.source)) for place in resolved.chain] == [
        ("log.retention.ms", "5", 2),
        ("log.retention.ms", "7000", 3),
        ("log.retention.hours", "100", 4),
        ("log.retention.hours", "168", 5),
    ]


def test_lags_that_contradict_each_other_are_refused() -> None:
    settings = TopicSettings(BrokerSettings({}))
    check_together(settings.values({}))
    values = settings.values({"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"})
    with pytest.raises(SettingError, match=r"min\.compaction.*=10 .* max\.compaction.*=5"):
        check_together(values)


def test_remote_storage_is_refused_while_there_is_none() -> None:
    settings = TopicSettings(BrokerSettings({}))
    with pytest.raises(SettingError, match="needs tiered storage"):
        check_together(settings.values({"remote.storage.enable": "true"}))


def test_texts_that_another_version_has_let_pass_count_as_not_set() -> None:
    settings = TopicSettings(BrokerSettings({}))
    values = settings.values({"segment.bytes": "65536", "retention.ms": "5"})
    assert (values["segment.bytes"], values["retention.ms"]) == (1024**3, 5)
    assert settings.resolve(topic.SEGMENT_BYTES, {"segment.bytes": "x"}).value == 1024**3
    with pytest.raises(SettingError, match=r"segment\.bytes"):
        settings.check({"segment.bytes": "65536"})
