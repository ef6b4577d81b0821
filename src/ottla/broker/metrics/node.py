"""The node itself: what runs, its disks, compaction, its coordinators, the cluster it knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ottla.broker.broker import Broker
from ottla.broker.cleaning import Cleaning
from ottla.broker.disk_watch import DiskWatch
from ottla.broker.metrics import catalogue as metrics
from ottla.broker.metrics.families import Part, family, single
from ottla.transactions.transaction import NO_TIME, PREPARED, State
from ottla.wire.payloads.internal_topics import CONSUMER_OFFSETS, TRANSACTION_STATE


class NodeMetrics:
    """Of one broker of a `version` of Ottla; `start_seconds` as `metrics.START_SECONDS` says."""

    def __init__(
        self,
        broker: Broker,
        disk_watch: DiskWatch,
        cleaning: Cleaning,
        *,
        version: str,
        start_seconds: float,
    ) -> None:
        self._version = version
        self._broker = broker
        self._disk_watch = disk_watch
        self._cleaning = cleaning
        self._start_seconds = start_seconds

    def __call__(self) -> Iterator[Part]:
        broker = self._broker
        labels = self._version, str(broker.node_id), broker.cluster_id
        yield family(metrics.INFO, [(labels, 1)])
        yield single(metrics.START_SECONDS, self._start_seconds)
        yield single(metrics.LOG_OPENING_SECONDS, broker.replicas.opening_ms / 1000)
        yield from self._disks()
        yield from self._compaction()
        yield from self._coordinators()
        yield from self._cluster()

    def _disks(self) -> Iterator[Part]:
        directories = self._broker.replicas.directories
        seen = self._disk_watch.seen
        known = dict.fromkeys([*directories.online, directories.metadata])
        failed = {directory.path: 0 for directory in known} | dict.fromkeys(directories.failures, 1)
        yield family(
            metrics.DIRECTORY_FREE,
            [((each.path,), seen[each][0]) for each in known if each in seen],
        )
        yield family(
            metrics.DIRECTORY_TOTAL,
            [((each.path,), seen[each][1]) for each in known if each in seen],
        )
        yield family(metrics.DIRECTORY_FULL, [((each.path,), each.is_full) for each in known])
        yield family(metrics.DIRECTORY_FAILED, [((path,), n) for path, n in failed.items()])
        yield family(
            metrics.DIRECTORY_UNCLEAN,
            [((each.path,), not each.was_clean and not each.is_new) for each in known],
        )
        yield single(metrics.REPLICA_MOVES, len(list(self._broker.moves)))

    def _compaction(self) -> Iterator[Part]:
        progress = self._cleaning.progress
        for metric, value in (
            (metrics.COMPACTION_RUNS, progress.runs),
            (metrics.COMPACTION_FAILURES, progress.failures),
            (metrics.COMPACTION_UNCLEANABLE, progress.uncleanable),
            (metrics.COMPACTION_DIRTY_BYTES, progress.dirty_bytes),
            (metrics.COMPACTION_DIRTY_RATIO, progress.dirty_ratio_max),
            (metrics.COMPACTION_READ, progress.bytes_read),
            (metrics.COMPACTION_WRITTEN, progress.bytes_written),
            (metrics.COMPACTION_RECORDS_READ, progress.records_read),
            (metrics.COMPACTION_RECORDS_KEPT, progress.records_kept),
            (metrics.COMPACTION_LAST_SECONDS, progress.last_seconds),
        ):
            yield single(metric, value)

    def _coordinators(self) -> Iterator[Part]:
        groups, transactions = self._broker.groups.runtime, self._broker.transactions.runtime
        yield family(
            metrics.SHARDS,
            [
                ((CONSUMER_OFFSETS, "serving"), len(groups.serving)),
                ((CONSUMER_OFFSETS, "loading"), groups.loading_count),
                ((TRANSACTION_STATE, "serving"), len(transactions.serving)),
                ((TRANSACTION_STATE, "loading"), transactions.loading_count),
            ],
        )
        states: Counter[str] = Counter(dict.fromkeys((state.label for state in State), 0))
        oldest_ms = now_ms = self._broker.clock.now_ms()
        for shard in transactions.serving:
            for found in shard:
                states[found.state.label] += 1
                is_open = found.state is State.ONGOING or found.state in PREPARED
                if is_open and found.start_ms != NO_TIME:
                    oldest_ms = min(oldest_ms, found.start_ms)
            yield None
        yield family(metrics.TRANSACTIONS, [((state,), n) for state, n in states.items()])
        yield single(metrics.TRANSACTION_OLDEST, (now_ms - oldest_ms) / 1000)

    def _cluster(self) -> Iterator[Part]:
        image = self._broker.metadata.image
        fenced = sum(broker.fenced for broker in image.brokers.values())
        yield single(metrics.TOPICS, len(image.topics_by_name))
        yield family(
            metrics.BROKERS,
            [(("active",), len(image.brokers) - fenced), (("fenced",), fenced)],
        )
        yield single(metrics.METADATA_OFFSET, image.next_offset)
        yield single(metrics.METADATA_EPOCH, image.epoch)
