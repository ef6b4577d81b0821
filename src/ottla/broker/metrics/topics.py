"""Topics and partitions: how much is written and read, what lies on the disk, what is not well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ottla.base.errors import ProtocolError
from ottla.base.limits import (
    METRICS_PARTITIONS_MAX,
    METRICS_SAMPLES_PER_TURN,
    METRICS_TOPICS_MAX,
)
from ottla.base.world import Clock
from ottla.broker.metadata_service import MetadataService
from ottla.broker.metrics import catalogue as metrics
from ottla.broker.metrics.appended import AppendedCounts
from ottla.broker.metrics.families import OTHER, Part, Sample, family, parts, single
from ottla.broker.metrics.lag import UNKNOWN, RecordTimes
from ottla.broker.partition import Partition
from ottla.broker.replicas import LocalReplicas
from ottla.broker.topic_reads import OTHERS, Key, TopicReads


class TopicMetrics:
    """Of the replicas of one node."""

    def __init__(
        self,
        replicas: LocalReplicas,
        metadata: MetadataService,
        reads: TopicReads,
        clock: Clock,
        left_out: dict[str, int],
    ) -> None:
        self._left_out = left_out
        self._replicas = replicas
        self._metadata = metadata
        self._reads = reads
        self._clock = clock
        self._times = RecordTimes()
        self._appended = AppendedCounts()

    def __call__(self) -> Iterator[Part]:
        partitions = list(self._replicas)
        sizes: dict[Partition, int] = {}
        for number, partition in enumerate(partitions, 1):
            sizes[partition] = partition.log.size_bytes
            if not number % METRICS_SAMPLES_PER_TURN:
                yield None
        yield from self._of_topics(sizes)
        yield from self._of_partitions(sizes)
        yield from self._states(partitions)
        yield from self._directories(sizes)

    # -- topics ----------------------------------------------------------------------------------

    def _of_topics(self, sizes: dict[Partition, int]) -> Iterator[Part]:
        counts: Counter[str] = Counter()
        size_of: Counter[str] = Counter()
        left_out: set[str] = set()
        for number, (partition, size_bytes) in enumerate(sizes.items(), 1):
            name: str = partition.topic
            if name not in counts and len(counts) >= METRICS_TOPICS_MAX:
                left_out.add(name)
                name = OTHER
            counts[name] += 1
            size_of[name] += size_bytes
            self._appended.look(name, partition)
            if not number % METRICS_SAMPLES_PER_TURN:
                yield None
        self._appended.keep_only(sizes, counts)
        taken = self._appended.topics
        for metric, field in (
            (metrics.TOPIC_APPENDED_BYTES, "bytes"),
            (metrics.TOPIC_APPENDED_BATCHES, "batches"),
            (metrics.TOPIC_APPENDED_RECORDS, "records"),
        ):
            yield from parts(metric, (((name,), getattr(of, field)) for name, of in taken.items()))
        yield from parts(metrics.TOPIC_PARTITIONS, (((name,), n) for name, n in counts.items()))
        yield from parts(metrics.TOPIC_BYTES, (((name,), n) for name, n in size_of.items()))
        self._left_out["topics"] = len(left_out)
        yield from self._of_fetches()

    def _of_fetches(self) -> Iterator[Part]:
        reads: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for totals in list(self._reads.totals()):
            name = self._name_of(totals.topic)
            if name is None:
                self._reads.forget(totals.topic)
                continue
            reads[name] += totals.reads
            sizes[name] += totals.bytes
        yield from parts(metrics.TOPIC_FETCHES, (((name,), n) for name, n in reads.items()))
        yield from parts(metrics.TOPIC_FETCHED_BYTES, (((name,), n) for name, n in sizes.items()))

    def _name_of(self, topic: Key) -> str | None:
        """None for a topic that is gone."""
        image = self._metadata.image
        if isinstance(topic, bytes):
            known = image.topics_by_id.get(topic)
            return None if known is None else known.name
        if topic == OTHERS:
            return OTHER
        return topic if topic in image.topics_by_name else None

    # -- partitions ------------------------------------------------------------------------------

    def _of_partitions(self, sizes: dict[Partition, int]) -> Iterator[Part]:
        # Those of coordinators are many, and say little: their topics have series all the same.
        worth_telling = [partition for partition in sizes if not partition.is_internal]
        self._left_out["partitions"] = max(len(worth_telling) - METRICS_PARTITIONS_MAX, 0)
        shown = worth_telling[:METRICS_PARTITIONS_MAX]
        yield from parts(
            metrics.PARTITION_START, ((_labels(each), each.log.log_start_offset) for each in shown)
        )
        yield from parts(metrics.PARTITION_BYTES, ((_labels(each), sizes[each]) for each in shown))
        yield from parts(
            metrics.PARTITION_HIGH_WATERMARK,
            ((_labels(each), each.high_watermark) for each in shown if each.leader is not None),
        )
        yield from parts(
            metrics.PARTITION_STABLE,
            ((_labels(each), each.last_stable_offset) for each in shown if each.leader is not None),
        )
        self._times.begin_round()
        yield from parts(metrics.OPEN_TRANSACTION, self._open_transactions(shown))

    def _open_transactions(self, partitions: list[Partition]) -> Iterator[Sample]:
        for partition in partitions:
            if partition.leader is None or partition.offline_reason is not None:
                continue
            stable_offset = partition.last_stable_offset
            if stable_offset >= partition.high_watermark:
                continue
            try:
                since_ms = self._times.at(partition, stable_offset)
            except ProtocolError:
                continue  # whoever reads there is told
            if since_ms is not None and since_ms != UNKNOWN:
                yield _labels(partition), max(self._clock.now_ms() - since_ms, 0) / 1000

    def _states(self, partitions: list[Partition]) -> Iterator[Part]:
        states: Counter[str] = Counter(led=0, followed=0, offline=self._replicas.unusable_count)
        states["unopened"] = self._replicas.unopened_count
        under_replicated = under_min_isr = 0
        for partition in partitions:
            if partition.offline_reason is not None:
                states["offline"] += 1
            elif partition.leader is None or partition.state is None:
                states["followed"] += 1
            else:
                states["led"] += 1
                in_sync = len(partition.state.isr)
                under_replicated += in_sync < len(partition.state.replicas)
                under_min_isr += in_sync < partition.min_insync_replicas
        yield family(metrics.PARTITIONS, (((state,), n) for state, n in states.items()))
        yield single(metrics.UNDER_REPLICATED, under_replicated)
        yield single(metrics.UNDER_MIN_ISR, under_min_isr)
        yield single(metrics.PRODUCERS, sum(len(each.log.producers.states) for each in partitions))

    @staticmethod
    def _directories(sizes: dict[Partition, int]) -> Iterator[Part]:
        by_path: Counter[str] = Counter()
        for partition, size_bytes in sizes.items():
            by_path[partition.directory.path] += size_bytes
        yield family(metrics.DIRECTORY_BYTES, (((path,), n) for path, n in by_path.items()))


def _labels(partition: Partition) -> tuple[str, str]:
    return partition.topic, str(partition.index)
