"""The settings of a broker's coordinators: groups, their offsets, and transactions."""

from __future__ import annotations

from ottla.settings.checks import at_least, each_one_of, one_of
from ottla.settings.engine import Change, Setting
from ottla.settings.table import SETTINGS
from ottla.settings.values import INT_MAX, SettingKind

_INT, _LONG, _STRING = SettingKind.INT, SettingKind.LONG, SettingKind.STRING
_MIB = 1024 * 1024

# ── the internal topics ───────────────────────────────────────────────────────────────────────────
OFFSETS_TOPIC_NUM_PARTITIONS = SETTINGS.declare(
    _INT,
    "offsets.topic.num.partitions",
    50,
    "Partitions of the topic that keeps groups and their offsets; it counts when that is made.",
    check=at_least(1),
)
OFFSETS_TOPIC_REPLICATION_FACTOR = SETTINGS.declare(
    _INT,
    "offsets.topic.replication.factor",
    3,
    "Replicas of that topic, as far as there are brokers when it is made.",
    check=at_least(1),
)
OFFSETS_TOPIC_SEGMENT_BYTES = SETTINGS.declare(
    _INT,
    "offsets.topic.segment.bytes",
    100 * _MIB,
    "Segment size of that topic: small ones are compacted sooner, and read sooner at a start.",
    check=at_least(1024 * 1024),
)
TRANSACTION_STATE_LOG_NUM_PARTITIONS = SETTINGS.declare(
    _INT,
    "transaction.state.log.num.partitions",
    50,
    "Partitions of the topic that keeps transactions; it counts when that is made.",
    check=at_least(1),
)
TRANSACTION_STATE_LOG_REPLICATION_FACTOR = SETTINGS.declare(
    _INT,
    "transaction.state.log.replication.factor",
    3,
    "Replicas of that topic, as far as there are brokers when it is made.",
    check=at_least(1),
)
TRANSACTION_STATE_LOG_SEGMENT_BYTES = SETTINGS.declare(
    _INT,
    "transaction.state.log.segment.bytes",
    100 * _MIB,
    "Segment size of that topic.",
    check=at_least(1024 * 1024),
)
TRANSACTION_STATE_LOG_MIN_ISR = SETTINGS.declare(
    _INT,
    "transaction.state.log.min.isr",
    2,
    "Replicas that must have a transaction's record before it counts, as far as there are "
    "brokers when that topic is made.",
    check=at_least(1),
)

# ── committed offsets ─────────────────────────────────────────────────────────────────────────────
OFFSET_METADATA_MAX_BYTES = SETTINGS.declare(
    _INT,
    "offset.metadata.max.bytes",
    4096,
    "Longest text that a client may keep with a committed offset.",
    check=at_least(0),
)
OFFSETS_RETENTION_MINUTES = SETTINGS.declare(
    _INT,
    "offsets.retention.minutes",
    10_080,
    "Minutes for which the offsets of a group without members are kept; of a group that only "
    "commits, and never joins, counted from each commit.",
    check=at_least(1),
)
OFFSETS_RETENTION_CHECK_INTERVAL_MS = SETTINGS.declare(
    _LONG,
    "offsets.retention.check.interval.ms",
    600_000,
    "Milliseconds between two looks for offsets that have expired.",
    check=at_least(1),
)

# ── groups of the classic protocol ────────────────────────────────────────────────────────────────
GROUP_MIN_SESSION_TIMEOUT_MS = SETTINGS.declare(
    _INT,
    "group.min.session.timeout.ms",
    6000,
    "Shortest session timeout that a member may ask for.",
    check=at_least(0),
)
GROUP_MAX_SESSION_TIMEOUT_MS = SETTINGS.declare(
    _INT,
    "group.max.session.timeout.ms",
    1_800_000,
    "Longest session timeout that a member may ask for.",
    check=at_least(0),
)
GROUP_INITIAL_REBALANCE_DELAY_MS = SETTINGS.declare(
    _INT,
    "group.initial.rebalance.delay.ms",
    3000,
    "Milliseconds that a new group waits for more members before its first rebalance.",
    check=at_least(0),
)
GROUP_MAX_SIZE = SETTINGS.declare(
    _INT,
    "group.max.size",
    INT_MAX,
    "Most members of a group.",
    check=at_least(1),
)

# ── groups of the consumer protocol (KIP-848) ─────────────────────────────────────────────────────
GROUP_CONSUMER_SESSION_TIMEOUT_MS = SETTINGS.declare(
    _INT,
    "group.consumer.session.timeout.ms",
    45_000,
    "Milliseconds without a heartbeat after which a member is removed.",
    check=at_least(1),
)
GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS = SETTINGS.declare(
    _INT,
    "group.consumer.heartbeat.interval.ms",
    5000,
    "How often members are told to send a heartbeat.",
    check=at_least(1),
)
GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS = SETTINGS.declare(
    _INT,
    "group.consumer.min.session.timeout.ms",
    45_000,
    "Least consumer.session.timeout.ms that a group may be set to.",
    check=at_least(1),
)
GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS = SETTINGS.declare(
    _INT,
    "group.consumer.max.session.timeout.ms",
    60_000,
    "Greatest consumer.session.timeout.ms that a group may be set to.",
    check=at_least(1),
)
GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS = SETTINGS.declare(
    _INT,
    "group.consumer.min.heartbeat.interval.ms",
    5000,
    "Least consumer.heartbeat.interval.ms that a group may be set to.",
    check=at_least(1),
)
GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS = SETTINGS.declare(
    _INT,
    "group.consumer.max.heartbeat.interval.ms",
    15_000,
    "Greatest consumer.heartbeat.interval.ms that a group may be set to.",
    check=at_least(1),
)
GROUP_CONSUMER_MAX_SIZE = SETTINGS.declare(
    _INT,
    "group.consumer.max.size",
    INT_MAX,
    "Most members of such a group.",
    check=at_least(1),
)
GROUP_CONSUMER_ASSIGNORS: Setting[tuple[str, ...]] = SETTINGS.declare(
    SettingKind.LIST,
    "group.consumer.assignors",
    ("uniform", "range"),
    "Assignors that members may ask for; the first is for groups that ask for none.",
    check=each_one_of("uniform", "range"),
)
GROUP_CONSUMER_MIGRATION_POLICY = SETTINGS.declare(
    _STRING,
    "group.consumer.migration.policy",
    "bidirectional",
    "Whether a group with members may change its protocol: upgrade from classic to consumer when "
    "a member of that joins, downgrade when the last of those leaves, bidirectional or disabled.",
    check=one_of("bidirectional", "upgrade", "downgrade", "disabled"),
)

# ── transactions ──────────────────────────────────────────────────────────────────────────────────
TRANSACTIONAL_ID_EXPIRATION_MS = SETTINGS.declare(
    _INT,
    "transactional.id.expiration.ms",
    604_800_000,
    "Milliseconds after its last transaction for which a transactional id is kept.",
    check=at_least(1),
)
TRANSACTION_MAX_TIMEOUT_MS = SETTINGS.declare(
    _INT,
    "transaction.max.timeout.ms",
    900_000,
    "Longest transaction timeout that a producer may ask for.",
    check=at_least(1),
)
TRANSACTION_ABORT_TIMED_OUT_CLEANUP_INTERVAL_MS = SETTINGS.declare(
    _INT,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    10_000,
    "Milliseconds between two looks for transactions that have timed out.",
    check=at_least(1),
)
TRANSACTION_REMOVE_EXPIRED_CLEANUP_INTERVAL_MS = SETTINGS.declare(
    _INT,
    "transaction.remove.expired.transaction.cleanup.interval.ms",
    3_600_000,
    "Milliseconds between two looks for transactional ids that have expired.",
    check=at_least(1),
)
TRANSACTION_PARTITION_VERIFICATION_ENABLE = SETTINGS.declare(
    SettingKind.BOOLEAN,
    "transaction.partition.verification.enable",
    True,
    "Whether a producer that does not speak transaction version 2 may write in a transaction only "
    "where the coordinator knows of it: otherwise a late request may leave one open for ever.",
    change=Change.CLUSTER_WIDE,
)
ADD_PARTITIONS_TO_TXN_RETRY_BACKOFF_MS = SETTINGS.declare(
    _INT,
    "add.partitions.to.txn.retry.backoff.ms",
    20,
    "Milliseconds between two attempts to add a partition while the transaction before still ends.",
    check=at_least(1),
)
ADD_PARTITIONS_TO_TXN_RETRY_BACKOFF_MAX_MS = SETTINGS.declare(
    _INT,
    "add.partitions.to.txn.retry.backoff.max.ms",
    100,
    "Milliseconds after which such an attempt is given up, and the client tries again.",
    check=at_least(0),
)
