"""Every metric: its name, its labels, and what it says. docs/operating/metrics.md is made of it.

Names follow Prometheus: base units, counters end in `_total`. A name stays what it is: dashboards
and alerts of people who never read this hang on it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """As Prometheus has them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One family of series; `subject` is its heading in the documentation."""

    subject: str
    name: str
    kind: Kind
    labels: tuple[str, ...]
    doc: str


CATALOGUE: Final[dict[str, Metric]] = {}
"""By name, in the order of the documentation."""


class _Subject:
    def __init__(self, heading: str) -> None:
        self._heading = heading

    def _declare(self, kind: Kind, name: str, doc: str, labels: tuple[str, ...]) -> Metric:
        assert name not in CATALOGUE
        assert name.endswith("_total") == (kind is Kind.COUNTER)
        metric = CATALOGUE[name] = Metric(self._heading, name, kind, labels, doc)
        return metric

    def counter(self, name: str, doc: str, *labels: str) -> Metric:
        return self._declare(Kind.COUNTER, name, doc, labels)

    def gauge(self, name: str, doc: str, *labels: str) -> Metric:
        return self._declare(Kind.GAUGE, name, doc, labels)

    def histogram(self, name: str, doc: str, *labels: str) -> Metric:
        return self._declare(Kind.HISTOGRAM, name, doc, labels)


_node = _Subject("The node")
INFO = _node.gauge(
    "ottla_info", "Always 1; the labels say what runs here.", "version", "node_id", "cluster_id"
)
READY = _node.gauge("ottla_ready", "1 while clients are served, as /health/ready says.")
START_SECONDS = _node.gauge(
    "ottla_start_seconds", "From the start of the process until clients were served."
)
LOG_OPENING_SECONDS = _node.gauge(
    "ottla_log_opening_seconds",
    "What of that was spent opening logs, recovery after an unclean stop included.",
)
LOOP_DELAY = _node.histogram(
    "ottla_loop_delay_seconds",
    "How late the event loop came to something that was due; measured four times a second.",
)
SCRAPE_ERRORS = _node.counter(
    "ottla_scrape_errors_total", "Parts of an answer that failed: see the log.", "part"
)
LEFT_OUT = _node.gauge(
    "ottla_series_left_out",
    "What has no series of its own here, because there is too much of it.",
    "what",
)

_requests = _Subject("Requests")
REQUESTS = _requests.counter("ottla_requests_total", "Requests answered.", "api", "version")
REQUEST_SECONDS = _requests.histogram(
    "ottla_request_duration_seconds",
    "From the read event that brought a request to its answer, without what a fetch waits for "
    "data. An answer may then wait for those before it on its connection.",
    "api",
)
REQUEST_BYTES = _requests.counter("ottla_request_bytes_total", "Bytes of requests.", "api")
RESPONSE_BYTES = _requests.counter("ottla_response_bytes_total", "Bytes of answers.", "api")
REFUSALS = _requests.counter(
    "ottla_refusals_total",
    "Answers that are an error: of partitions in Produce and Fetch, of whole requests elsewhere "
    "(what is refused within a request for several things is not among them).",
    "api",
    "error",
)
FETCHES_WAITING = _requests.gauge(
    "ottla_fetches_waiting", "Fetches that wait for data or for their time to be over."
)
FETCH_SESSIONS = _requests.gauge("ottla_fetch_sessions", "Incremental fetch sessions (KIP-227).")

_connections = _Subject("Connections")
CONNECTIONS = _connections.gauge("ottla_connections", "Connections that are open.", "listener")
CONNECTIONS_ACCEPTED = _connections.counter(
    "ottla_connections_accepted_total", "Connections that were accepted.", "listener"
)
CONNECTIONS_REFUSED = _connections.counter(
    "ottla_connections_refused_total", "Connections above a limit, closed at once.", "listener"
)
READ_BUFFERS = _connections.gauge(
    "ottla_read_buffer_bytes", "Memory that requests which have not arrived whole hold."
)
READ_BUFFERS_LIMIT = _connections.gauge(
    "ottla_read_buffer_limit_bytes", "What they may hold: queued.max.request.bytes."
)
READ_BUFFERS_WAITING = _connections.gauge(
    "ottla_read_buffer_waiting_connections", "Connections that are not read for want of it."
)

_topics = _Subject("Topics")
TOPIC_APPENDED_BYTES = _topics.counter(
    "ottla_topic_appended_bytes_total", "Bytes of batches that logs took, as stored.", "topic"
)
TOPIC_APPENDED_BATCHES = _topics.counter(
    "ottla_topic_appended_batches_total", "Batches that logs took.", "topic"
)
TOPIC_APPENDED_RECORDS = _topics.counter(
    "ottla_topic_appended_records_total",
    "Offsets that were given out, before this start as well: records, and the markers of "
    "transactions.",
    "topic",
)
TOPIC_FETCHES = _topics.counter(
    "ottla_topic_fetches_total", "Looks of fetches at a partition that brought records.", "topic"
)
TOPIC_FETCHED_BYTES = _topics.counter(
    "ottla_topic_fetched_bytes_total", "Bytes of records that fetches were given.", "topic"
)
TOPIC_PARTITIONS = _topics.gauge(
    "ottla_topic_partitions", "Partitions of the topic on this node.", "topic"
)
TOPIC_BYTES = _topics.gauge("ottla_topic_size_bytes", "Log files on this node.", "topic")

# Those of coordinators' topics have no series of their own.
_partitions = _Subject("Partitions")
PARTITIONS = _partitions.gauge(
    "ottla_partitions",
    "Replicas of this node by state: led, followed, offline (a log that cannot be used), unopened.",
    "state",
)
UNDER_REPLICATED = _partitions.gauge(
    "ottla_partitions_under_replicated", "Led here, and not every replica is in sync."
)
UNDER_MIN_ISR = _partitions.gauge(
    "ottla_partitions_under_min_isr",
    "Led here with fewer replicas in sync than min.insync.replicas: acks=all is refused.",
)
PARTITION_START = _partitions.gauge(
    "ottla_partition_start_offset", "The first offset that is kept.", "topic", "partition"
)
PARTITION_HIGH_WATERMARK = _partitions.gauge(
    "ottla_partition_high_watermark",
    "Where what every in-sync replica has ends: what consumers see, and what lag counts to.",
    "topic",
    "partition",
)
PARTITION_STABLE = _partitions.gauge(
    "ottla_partition_stable_offset",
    "Where the first open transaction begins, or the high watermark: what readers of committed "
    "records see.",
    "topic",
    "partition",
)
PARTITION_BYTES = _partitions.gauge(
    "ottla_partition_size_bytes", "The partition's log files.", "topic", "partition"
)
OPEN_TRANSACTION = _partitions.gauge(
    "ottla_partition_open_transaction_seconds",
    "Age of the first record of the oldest open transaction; no series where none is open. Readers "
    "of committed records wait there.",
    "topic",
    "partition",
)

_disks = _Subject("Disks")
DIRECTORY_BYTES = _disks.gauge(
    "ottla_directory_size_bytes", "Log files of a data directory.", "directory"
)
DIRECTORY_FREE = _disks.gauge(
    "ottla_directory_free_bytes", "Free bytes of its disk, at the last look.", "directory"
)
DIRECTORY_TOTAL = _disks.gauge(
    "ottla_directory_capacity_bytes", "Bytes of its disk, at the last look.", "directory"
)
DIRECTORY_FULL = _disks.gauge(
    "ottla_directory_full", "1 while records are refused for want of room.", "directory"
)
DIRECTORY_FAILED = _disks.gauge(
    "ottla_directory_failed", "1 after its disk has failed: its partitions are offline.",
    "directory",
)  # fmt: skip
DIRECTORY_UNCLEAN = _disks.gauge(
    "ottla_directory_recovered",
    "1 where the last stop was not orderly, and this start had to check logs.",
    "directory",
)
REPLICA_MOVES = _disks.gauge("ottla_replica_moves", "Replicas on the way to another directory.")

_compaction = _Subject("Compaction")
COMPACTION_RUNS = _compaction.counter("ottla_compaction_runs_total", "Logs compacted.")
COMPACTION_FAILURES = _compaction.counter(
    "ottla_compaction_failures_total", "Runs that failed; most are tried again."
)
COMPACTION_UNCLEANABLE = _compaction.gauge(
    "ottla_compaction_uncleanable_partitions",
    "Partitions that are not compacted any more, for their logs are damaged.",
)
COMPACTION_DIRTY_BYTES = _compaction.gauge(
    "ottla_compaction_dirty_bytes", "Bytes that waited for compaction at the last look."
)
COMPACTION_DIRTY_RATIO = _compaction.gauge(
    "ottla_compaction_dirty_ratio_max", "The largest share of such bytes in a log, 0 to 1."
)
COMPACTION_READ = _compaction.counter("ottla_compaction_read_bytes_total", "Bytes read.")
COMPACTION_WRITTEN = _compaction.counter("ottla_compaction_written_bytes_total", "Bytes written.")
COMPACTION_RECORDS_READ = _compaction.counter(
    "ottla_compaction_read_records_total", "Records looked at."
)
COMPACTION_RECORDS_KEPT = _compaction.counter(
    "ottla_compaction_kept_records_total", "Records that stayed."
)
COMPACTION_LAST_SECONDS = _compaction.gauge(
    "ottla_compaction_last_run_seconds", "How long the last run took."
)

_groups = _Subject("Groups")
GROUPS = _groups.gauge(
    "ottla_groups", "Groups by type (classic, consumer) and state.", "type", "state"
)
GROUP_MEMBERS = _groups.gauge("ottla_group_members", "Members of the group.", "group")
GROUP_OFFSET = _groups.gauge(
    "ottla_group_offset",
    "The offset that the group has committed: its rate is how fast it consumes.",
    "group",
    "topic",
    "partition",
)
GROUP_LAG = _groups.gauge(
    "ottla_group_lag_records",
    "From the committed offset to the high watermark, as Kafka's tools count it. Groups without "
    "members have it too.",
    "group",
    "topic",
    "partition",
)
GROUP_STABLE_LAG = _groups.gauge(
    "ottla_group_stable_lag_records",
    "As much of it as a reader of committed records could read now: to the last stable offset.",
    "group",
    "topic",
    "partition",
)
GROUP_LAG_SECONDS = _groups.gauge(
    "ottla_group_lag_seconds",
    "Age of the first record that the group has not read, by the record's own time; 0 where it has "
    "read all.",
    "group",
    "topic",
    "partition",
)

_quotas = _Subject("Quotas")
THROTTLES = _quotas.counter(
    "ottla_quota_throttles_total",
    "How often clients that used too much were told to be silent: produce, fetch, request, "
    "controller_mutation, connection.",
    "quota",
)
THROTTLE_SECONDS = _quotas.counter(
    "ottla_quota_throttle_seconds_total", "For how long, in all.", "quota"
)
QUOTA_FOLLOWED = _quotas.gauge(
    "ottla_quota_followed", "Users, client ids or addresses whose use is measured.", "quota"
)

_coordinators = _Subject("Coordinators")
SHARDS = _coordinators.gauge(
    "ottla_coordinator_shards",
    "Partitions of the topics that coordinators keep their state in: serving, or loading.",
    "topic",
    "state",
)
TRANSACTIONS = _coordinators.gauge(
    "ottla_transactions", "Transactional ids by the state of their transaction.", "state"
)
TRANSACTION_OLDEST = _coordinators.gauge(
    "ottla_transaction_oldest_seconds", "Age of the oldest transaction that has not ended."
)
PRODUCERS = _coordinators.gauge(
    "ottla_producers", "Producers with an id that partitions remember, each in each of them."
)

_cluster = _Subject("The cluster's metadata")
TOPICS = _cluster.gauge("ottla_topics", "Topics of the cluster.")
BROKERS = _cluster.gauge("ottla_brokers", "Brokers by state: active, fenced.", "state")
METADATA_OFFSET = _cluster.gauge(
    "ottla_metadata_end_offset", "The end of the metadata log, as this node has replayed it."
)
METADATA_EPOCH = _cluster.gauge("ottla_metadata_epoch", "The epoch of its last record.")
