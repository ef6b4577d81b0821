"""The settings of a broker: those that it uses so far, by Kafka's names.

Defaults of topics (`log.*`, `message.max.bytes` …) are not written down again: they are made from
the synonyms in `settings.topic`, with the same kind, default and bounds.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ottla.settings import coordinators as coordinators  # they declare their keys beside these
from ottla.settings import observation as observation  # so do these
from ottla.settings import quotas as quotas  # and these
from ottla.settings import security as security  # and these
from ottla.settings import telemetry as telemetry  # and these
from ottla.settings import threads as threads  # and these
from ottla.settings import topic
from ottla.settings.addresses import connections_of_addresses
from ottla.settings.checks import at_least, between
from ottla.settings.endpoints import Endpoint, listener_list, parse_endpoints
from ottla.settings.engine import (
    Change,
    ConfigSource,
    Layer,
    Layers,
    Setting,
    Synonym,
)
from ottla.settings.table import SETTINGS as SETTINGS  # the whole table, for those who list it
from ottla.settings.values import INT_MAX, LONG_MAX, SettingKind

_BOOLEAN, _INT, _LONG = SettingKind.BOOLEAN, SettingKind.INT, SettingKind.LONG
_STRING, _LIST = SettingKind.STRING, SettingKind.LIST
_MIB = 1024 * 1024

# ── who and where ────────────────────────────────────────────────────────────────────────────────
NODE_ID = SETTINGS.declare(
    _INT,
    "node.id",
    1,
    "Number of this node in its cluster; a data directory keeps the one it was made with.",
    check=at_least(0),
)
CLUSTER_ID: Setting[str | None] = SETTINGS.declare(
    _STRING,
    "cluster.id",
    None,
    "Id of the cluster, 22 characters of URL-safe base64, given to a new data directory. By "
    "default a random one; an existing directory keeps its own and refuses another.",
)
BROKER_RACK: Setting[str | None] = SETTINGS.declare(
    _STRING,
    "broker.rack",
    None,
    "Name of what this node shares its fate with (a host, a rack, a zone). Replicas of a partition "
    "are spread over racks, and consumers may read from a replica in their own.",
)
LISTENERS: Setting[tuple[str, ...]] = SETTINGS.declare(
    _LIST,
    "listeners",
    ("PLAINTEXT://:9092",),
    "Addresses to listen on, NAME://host:port. An empty host means every interface, port 0 a free "
    "one.",
    check=listener_list,
)
ADVERTISED_LISTENERS: Setting[tuple[str, ...]] = SETTINGS.declare(
    _LIST,
    "advertised.listeners",
    (),
    "Addresses that clients are told to connect to, where they differ from `listeners`: behind a "
    "proxy, a container's published port, a load balancer. A client that reaches the broker by "
    "another way than its own listener's still gets these.",
    check=listener_list,
)
LOG_DIR: Setting[tuple[str, ...]] = SETTINGS.declare(
    _LIST,
    "log.dir",
    ("ottla-data",),
    "Directory of all data, used where log.dirs is not set.",
)
LOG_DIRS: Setting[tuple[str, ...]] = SETTINGS.declare(
    _LIST,
    "log.dirs",
    (),
    "Directories of all data, as a rule one for each disk. A new partition goes to the one with "
    "the fewest. The first one holds the metadata log too, unless metadata.log.dir names another.",
)
METADATA_LOG_DIR: Setting[str | None] = SETTINGS.declare(
    _STRING,
    "metadata.log.dir",
    None,
    "Directory of the metadata log: one of log.dirs, or one that holds nothing else. Without it "
    "the node cannot run.",
)
DISK_HEADROOM_BYTES = SETTINGS.declare(
    _LONG,
    "ottla.disk.headroom.bytes",
    -1,
    "Bytes that stay free on each disk: below them records and new topics are refused, while "
    "reads, deletions and retention go on. -1 for 256 MiB, or a twentieth of a smaller disk.",
    check=at_least(-1),
)
API_VERSIONS: Setting[tuple[str, ...]] = SETTINGS.declare(
    _LIST,
    "ottla.api.versions",
    (),
    "APIs that are served in fewer versions than this broker has, as Fetch:4-10, or not at all, as "
    "Fetch:none: to try clients against what an older broker offers.",
)
REPLICA_MOVE_BYTES_PER_SECOND = SETTINGS.declare(
    _LONG,
    "replica.alter.log.dirs.io.max.bytes.per.second",
    LONG_MAX,
    "Most bytes that are copied in a second while replicas move between directories.",
    check=at_least(1),
    change=Change.CLUSTER_WIDE,
)
for _side in ("leader", "follower"):
    SETTINGS.declare(
        _LONG,
        f"{_side}.replication.throttled.rate",
        LONG_MAX,
        "Accepted for Kafka's tools, without effect: nothing is copied between brokers yet.",
        check=at_least(0),
        change=Change.CLUSTER_WIDE,
    )

# ── topics ───────────────────────────────────────────────────────────────────────────────────────
NUM_PARTITIONS = SETTINGS.declare(
    _INT,
    "num.partitions",
    1,
    "Partitions of a topic that is created without saying how many.",
    check=at_least(1),
)
DEFAULT_REPLICATION_FACTOR = SETTINGS.declare(
    _INT,
    "default.replication.factor",
    1,
    "Replicas of a topic that is created without saying how many.",
    check=at_least(1),
)
AUTO_CREATE_TOPICS_ENABLE = SETTINGS.declare(
    _BOOLEAN,
    "auto.create.topics.enable",
    default=True,
    doc="Whether a client's question about an unknown topic creates it, where the client allows.",
)
DELETE_TOPIC_ENABLE = SETTINGS.declare(
    _BOOLEAN,
    "delete.topic.enable",
    default=True,
    doc="Whether topics can be deleted.",
)
MAX_REQUEST_PARTITION_SIZE_LIMIT = SETTINGS.declare(
    _INT,
    "max.request.partition.size.limit",
    2000,
    "Most partitions that one DescribeTopicPartitions answer holds; the rest follows by cursor.",
    check=at_least(1),
)
LOG_RETENTION_CHECK_INTERVAL_MS = SETTINGS.declare(
    _LONG,
    "log.retention.check.interval.ms",
    300_000,
    "Milliseconds between two looks for segments that retention lets go.",
    check=at_least(1),
)
LOG_FLUSH_OFFSET_CHECKPOINT_INTERVAL_MS = SETTINGS.declare(
    _INT,
    "log.flush.offset.checkpoint.interval.ms",
    60_000,
    "Milliseconds between two writings of the recovery points, from which a log is checked after "
    "a crash.",
    check=at_least(0),
)
LOG_FLUSH_START_OFFSET_CHECKPOINT_INTERVAL_MS = SETTINGS.declare(
    _INT,
    "log.flush.start.offset.checkpoint.interval.ms",
    60_000,
    "Accepted as Kafka's, without effect: log start offsets are written down when they move.",
    check=at_least(0),
)
PRODUCER_ID_EXPIRATION_MS = SETTINGS.declare(
    _INT,
    "producer.id.expiration.ms",
    86_400_000,
    "Milliseconds after its last batch for which a partition remembers an idempotent producer, "
    "counted in the batches' own time; not in the middle of a transaction. A producer that is "
    "forgotten may go on, but what it then sends twice is stored twice.",
    check=at_least(1),
    change=Change.CLUSTER_WIDE,
)
REPLICA_LAG_TIME_MAX_MS = SETTINGS.declare(
    _LONG,
    "replica.lag.time.max.ms",
    30_000,
    "Accepted as Kafka's, without effect: no other broker follows this one.",
    check=at_least(1),
)

# ── compaction ───────────────────────────────────────────────────────────────────────────────────
LOG_CLEANER_ENABLE = SETTINGS.declare(
    _BOOLEAN,
    "log.cleaner.enable",
    default=True,
    doc="Whether topics with the cleanup policy compact are compacted. Without it they grow for "
    "ever.",
)
LOG_CLEANER_THREADS = SETTINGS.declare(
    _INT,
    "log.cleaner.threads",
    1,
    "Partitions that are compacted at a time, each by a process of its own.",
    check=at_least(1),
    change=Change.CLUSTER_WIDE,
)
LOG_CLEANER_DEDUPE_BUFFER_SIZE = SETTINGS.declare(
    _LONG,
    "log.cleaner.dedupe.buffer.size",
    128 * _MIB,
    "Memory in bytes for the keys of the partitions that are compacted at a time, 24 for each key. "
    "With more keys than it holds, a partition is compacted in several turns.",
    check=at_least(_MIB),
    change=Change.CLUSTER_WIDE,
)
LOG_CLEANER_IO_BUFFER_SIZE = SETTINGS.declare(
    _INT,
    "log.cleaner.io.buffer.size",
    512 * 1024,
    "Memory in bytes for reading and writing during compaction.",
    check=at_least(0),
    change=Change.CLUSTER_WIDE,
)
LOG_CLEANER_IO_BUFFER_LOAD_FACTOR = SETTINGS.declare(
    SettingKind.DOUBLE,
    "log.cleaner.io.buffer.load.factor",
    0.9,
    "How full the memory for keys may become. More takes more keys at a time and longer for each.",
    check=between(0.01, 1),
    change=Change.CLUSTER_WIDE,
)
LOG_CLEANER_IO_MAX_BYTES_PER_SECOND = SETTINGS.declare(
    SettingKind.DOUBLE,
    "log.cleaner.io.max.bytes.per.second",
    sys.float_info.max,
    "Most bytes a second that compaction reads and writes, over all partitions.",
    check=at_least(1),
    change=Change.CLUSTER_WIDE,
)
LOG_CLEANER_BACKOFF_MS = SETTINGS.declare(
    _LONG,
    "log.cleaner.backoff.ms",
    15_000,
    "Milliseconds until compaction looks again, where it found nothing to do.",
    check=at_least(0),
    change=Change.CLUSTER_WIDE,
)

# ── connections and requests ─────────────────────────────────────────────────────────────────────
SOCKET_REQUEST_MAX_BYTES = SETTINGS.declare(
    _INT,
    "socket.request.max.bytes",
    100 * _MIB,
    "Largest request; a connection that announces a larger one is closed before any of it is read.",
    check=at_least(1),
)
SOCKET_SEND_BUFFER_BYTES = SETTINGS.declare(
    _INT,
    "socket.send.buffer.bytes",
    -1,
    "Send buffer of each connection; -1 leaves it to the operating system, which adapts it.",
    check=at_least(-1),
)
SOCKET_RECEIVE_BUFFER_BYTES = SETTINGS.declare(
    _INT,
    "socket.receive.buffer.bytes",
    -1,
    "Receive buffer of each connection; -1 leaves it to the operating system, which adapts it.",
    check=at_least(-1),
)
SOCKET_LISTEN_BACKLOG_SIZE = SETTINGS.declare(
    _INT,
    "socket.listen.backlog.size",
    1024,
    "Connections that the operating system holds until they are accepted.",
    check=at_least(1),
)
MAX_CONNECTIONS = SETTINGS.declare(
    _INT,
    "max.connections",
    INT_MAX,
    "Most connections at a time; further ones are closed as they come.",
    check=at_least(0),
    change=Change.CLUSTER_WIDE,
)
MAX_CONNECTIONS_PER_IP = SETTINGS.declare(
    _INT,
    "max.connections.per.ip",
    INT_MAX,
    "Most connections at a time from one address; further ones are closed as they come.",
    check=at_least(0),
    change=Change.CLUSTER_WIDE,
)
MAX_CONNECTIONS_PER_IP_OVERRIDES = SETTINGS.declare(
    _STRING,
    "max.connections.per.ip.overrides",
    "",
    "Addresses for which another number holds than max.connections.per.ip: 10.0.0.7:100,::1:20.",
    check=connections_of_addresses,
    change=Change.CLUSTER_WIDE,
)
CONNECTIONS_MAX_IDLE_MS = SETTINGS.declare(
    _LONG,
    "connections.max.idle.ms",
    600_000,
    "Milliseconds without a request after which a connection is closed; -1 for never.",
    check=at_least(-1),
)
QUEUED_MAX_REQUEST_BYTES = SETTINGS.declare(
    _LONG,
    "queued.max.request.bytes",
    -1,
    "Bytes that all partly received large requests may take together before sockets are left "
    "unread; -1 takes the broker's own bound.",
    check=at_least(-1),
)
REQUEST_TIMEOUT_MS = SETTINGS.declare(
    _INT,
    "request.timeout.ms",
    30_000,
    "Accepted as Kafka's, without effect: this broker asks no other node.",
    check=at_least(1),
)
FETCH_MAX_BYTES = SETTINGS.declare(
    _INT,
    "fetch.max.bytes",
    55 * _MIB,
    "Most bytes of one fetch answer, whatever the client asks; a first batch that is larger still "
    "goes out whole.",
    check=at_least(1024),
)
MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS = SETTINGS.declare(
    _INT,
    "max.incremental.fetch.session.cache.slots",
    1000,
    "Incremental fetch sessions that are kept at a time (KIP-227).",
    check=at_least(0),
)

# ── the metadata log ─────────────────────────────────────────────────────────────────────────────
METADATA_LOG_MAX_RECORD_BYTES_BETWEEN_SNAPSHOTS = SETTINGS.declare(
    _LONG,
    "metadata.log.max.record.bytes.between.snapshots",
    20 * _MIB,
    "Size that the metadata log grows by before a snapshot replaces its older part.",
    check=at_least(1),
)


# ── defaults of topics ───────────────────────────────────────────────────────────────────────────
def _declare_stand_in(setting: Setting[Any], synonym: Synonym) -> None:
    """Declare the broker's key behind a topic's synonym.

    Of several synonyms only the last has a default: `log.retention.ms` and `.minutes` are unset,
    so that `log.retention.hours` counts until one of them is given. Only the first is dynamic.
    """
    default = None
    if synonym is setting.synonyms[-1]:
        default = setting.default if synonym.factor == 1 else setting.default // synonym.factor
    is_first = synonym is setting.synonyms[0]
    in_unit = f", times {synonym.factor}" if synonym.factor != 1 else ""
    SETTINGS.declare(
        setting.kind if synonym.factor == 1 else _INT,
        synonym.name,
        default,
        f"What {setting.name} of a topic is unless the topic sets it{in_unit}. {setting.doc}",
        check=setting.check,
        change=Change.CLUSTER_WIDE if is_first else Change.AT_START,
    )


for _setting in topic.SETTINGS:
    for _synonym in _setting.synonyms:
        _declare_stand_in(_setting, _synonym)


class BrokerSettings(Layers):
    """Settings in force: for this broker, for all brokers, from file and command line, defaults.

    Raises SettingError for a text in `static` that is unknown or refused; the dynamic ones were
    checked when they were written. `set_dynamic` changes them under everybody who holds this.
    """

    def __init__(
        self,
        static: Mapping[str, str],
        *,
        dynamic: Mapping[str, str] | None = None,
        dynamic_default: Mapping[str, str] | None = None,
    ) -> None:
        SETTINGS.parse_all(static)
        self.static = static
        super().__init__(SETTINGS, self._layered(dynamic or {}, dynamic_default or {}))

    def set_dynamic(self, own: Mapping[str, str], everywhere: Mapping[str, str]) -> bool:
        """Take what is set for this broker and for all; whether any value in force is another."""
        before = self.values()
        self.replace_layers(self._layered(own, everywhere))
        return self.values() != before

    def _layered(self, own: Mapping[str, str], everywhere: Mapping[str, str]) -> list[Layer]:
        return [
            Layer(ConfigSource.DYNAMIC_BROKER, own),
            Layer(ConfigSource.DYNAMIC_DEFAULT_BROKER, everywhere),
            Layer(ConfigSource.STATIC_BROKER, self.static),
        ]

    @property
    def data_directories(self) -> tuple[str, ...]:
        """`log.dirs`, or `log.dir` where that is empty."""
        return self[LOG_DIRS] or self[LOG_DIR]

    @property
    def endpoints(self) -> list[Endpoint]:
        """Where to listen."""
        return parse_endpoints(self[LISTENERS])

    @property
    def advertised_endpoints(self) -> list[Endpoint]:
        """What to tell clients; empty where nothing is set."""
        return parse_endpoints(self[ADVERTISED_LISTENERS])
