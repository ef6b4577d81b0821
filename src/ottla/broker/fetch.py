"""Fetch: where to read, how much, wait for it or not, and answer with regions of log files.

Nothing here awaits or copies record data: a large slice goes from the page cache to the socket by
`sendfile`. A fetch that finds less than it wants waits on its partitions (`fetch_wait.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from time import perf_counter_ns
from typing import TYPE_CHECKING

import msgspec

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import NO_EPOCH, NO_OFFSET, NodeId, Offset
from ottla.broker.fetch_sessions import (
    FINAL_EPOCH,
    INITIAL_EPOCH,
    NO_SESSION,
    FetchSession,
    FetchSessions,
    SessionPartition,
)
from ottla.broker.fetch_wait import FetchWait
from ottla.broker.meter import FetchVerdict
from ottla.broker.partition import Partition
from ottla.broker.replies import Exchange
from ottla.broker.topic_reads import TopicReads
from ottla.log.partition_log import LogSlice
from ottla.transport.outbox import file_segment
from ottla.wire.messages.fetch import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    LeaderIdAndEpoch,
    PartitionData,
)
from ottla.wire.records.compression import Codec

if TYPE_CHECKING:
    from ottla.base.world import Clock
    from ottla.broker.meter import Meter
    from ottla.broker.replicas import LocalReplicas

log = logging.getLogger(__name__)

NAMES_TOPICS_BY_ID = 13
"""From this version a request names topics by their ids alone (KIP-516)."""
ALLOWS_ZSTD = 10
"""Clients of older versions may not know the codec (KIP-110)."""
TELLS_LEADER = 12
"""From this version an answer can name the leader."""
LEADERSHIP_ERRORS = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)
READ_COMMITTED = 1
GRANTED = FetchVerdict(wait_ms=0, withheld=False)


class Read(msgspec.Struct, gc=False):
    """What one look at one partition found."""

    asked: SessionPartition
    answer: PartitionData
    slice: LogSlice | None


class Fetch:
    """One fetch request until its answer."""

    __slots__ = ("asked", "bytes_max", "exchange", "request", "session", "wait", "waiting_since_ns")

    def __init__(
        self,
        exchange: Exchange,
        request: FetchRequest,
        session: FetchSession | None,
        asked: list[SessionPartition],
    ) -> None:
        self.exchange = exchange
        self.request = request
        self.session = session
        self.asked = asked
        self.bytes_max = request.max_bytes
        self.wait: FetchWait | None = None
        self.waiting_since_ns = 0

    @property
    def committed_only(self) -> bool:
        return self.request.isolation_level == READ_COMMITTED

    @property
    def follower(self) -> NodeId | None:
        """The broker that copies by this fetch, or None for a consumer."""
        replica_id = self.request.replica_id
        if replica_id < 0 and self.request.replica_state is not None:
            replica_id = self.request.replica_state.replica_id
        return NodeId(replica_id) if replica_id >= 0 else None


class FetchPath:
    """The fetch requests of one broker."""

    def __init__(
        self, replicas: LocalReplicas, sessions: FetchSessions, clock: Clock, *, bytes_max: int
    ) -> None:
        self._replicas = replicas
        self._sessions = sessions
        self._clock = clock
        self._bytes_max = bytes_max
        self._waiting: dict[object, Fetch] = {}
        self._loop = asyncio.get_running_loop()
        self.topic_reads: TopicReads | None = None

    @property
    def waiting_count(self) -> int:
        """Fetches that wait for data."""
        return len(self._waiting)

    @property
    def session_count(self) -> int:
        return len(self._sessions)

    def frame(self, request: FetchRequest, exchange: Exchange) -> bool:
        """Serve one request; True where it was answered at once."""
        try:
            fetch = self._open(request, exchange)
        except ProtocolError as refused:
            exchange.count_refusal(refused.code)
            exchange.answer(FetchResponse(error_code=refused.code))
            return True
        fetch.bytes_max = self._most_bytes(fetch)
        reads = self._read_all(fetch)
        if request.max_wait_ms <= 0 or not fetch.asked or self._is_enough(fetch, reads):
            self._answer(fetch, reads)
            return True
        self._wait(fetch)
        return False

    def closed(self, connection: object) -> None:
        """The connection is gone, and with it whatever it waited for."""
        fetch = self._waiting.pop(connection, None)
        if fetch is not None and fetch.wait is not None:
            fetch.wait.cancel()

    def finish_waiting(self) -> None:
        """Answer every long poll now with what there is: the broker stops."""
        for fetch in list(self._waiting.values()):
            if fetch.wait is not None:
                fetch.wait.finish()

    # -- sessions --------------------------------------------------------------------------------

    def _open(self, request: FetchRequest, exchange: Exchange) -> Fetch:
        """Find what the request asks for, by itself or as a change of its session."""
        asked = _asked_partitions(request)
        now_ms = self._clock.monotonic_ms()
        by_id = exchange.version >= NAMES_TOPICS_BY_ID
        if request.session_epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            self._sessions.close(request.session_id)
            session = None
            if request.session_epoch == INITIAL_EPOCH and asked:
                session = self._sessions.create(asked, now_ms, by_id=by_id)
            return Fetch(exchange, request, session, asked)
        session = self._sessions.resume(
            request.session_id, request.session_epoch, now_ms, by_id=by_id
        )
        session.update(asked, _forgotten_partitions(request))
        return Fetch(exchange, request, session, list(session.partitions.values()))

    def _most_bytes(self, fetch: Fetch) -> int:
        """What the request, the broker and the client's quota allow in one answer."""
        most = min(fetch.request.max_bytes, self._bytes_max)
        meter = fetch.exchange.meter
        if meter is None or fetch.follower is not None:
            return most
        # Of nothing at all there would always be enough, and no fetch would wait for records.
        return int(min(most, max(meter.fetch_bytes_max, 1)))

    # -- reading ---------------------------------------------------------------------------------

    def _read_all(self, fetch: Fetch) -> list[Read]:
        """Look at every partition in order, within the limits of request and broker."""
        bytes_left = fetch.bytes_max
        found_any = False
        reads = []
        for asked in fetch.asked:
            # KIP-74: the first batch found goes out whole, so that no limit can stop a consumer.
            read = self._read(fetch, asked, bytes_left, min_one_batch=not found_any)
            reads.append(read)
            if read.slice is not None:
                found_any = True
                bytes_left -= read.slice.length
        return reads

    def _read(
        self, fetch: Fetch, asked: SessionPartition, bytes_left: int, *, min_one_batch: bool
    ) -> Read:
        partition = self._find(fetch, asked)
        if isinstance(partition, ErrorCode):
            return Read(asked, _refusal(asked.index, partition), None)
        error = partition.check_leadership(asked.current_leader_epoch)
        if error:
            return Read(asked, _leadership_refusal(fetch, partition, error), None)
        return self._read_led(fetch, asked, partition, bytes_left, min_one_batch=min_one_batch)

    def _read_led(
        self,
        fetch: Fetch,
        asked: SessionPartition,
        partition: Partition,
        bytes_left: int,
        *,
        min_one_batch: bool,
    ) -> Read:
        if partition.log.config.codec is Codec.ZSTD and fetch.exchange.version < ALLOWS_ZSTD:
            error = ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
            return Read(asked, _refusal(asked.index, error), None)
        follower = fetch.follower
        if follower is not None and not partition.has_replica(follower):
            return Read(asked, _refusal(asked.index, ErrorCode.NOT_LEADER_OR_FOLLOWER), None)
        try:
            diverging = _diverging_epoch(partition, asked)
            if diverging is not None:
                answer = _accepted(partition, committed_only=fetch.committed_only)
                answer.diverging_epoch = diverging
                return Read(asked, answer, None)
            found = partition.log.read(
                asked.fetch_offset,
                max(min(asked.max_bytes, bytes_left), 0),
                end_offset=_end_offset(fetch, partition),
                min_one_batch=min_one_batch,
            )
            aborted = _aborted(fetch, partition, asked) if found is not None else []
        except ProtocolError as refused:
            partition.directory.suspect(refused)
            return Read(asked, _refusal(asked.index, refused.code), None)
        if follower is not None:
            # Only now: a log that parts from ours, or reaches beyond it, holds nothing of ours.
            self._follower_fetched(partition, follower, asked)
        answer = _accepted(partition, committed_only=fetch.committed_only)
        if aborted:
            answer.aborted_transactions = aborted
        return Read(asked, answer, found)

    def _find(self, fetch: Fetch, asked: SessionPartition) -> Partition | ErrorCode:
        if fetch.exchange.version >= NAMES_TOPICS_BY_ID:
            return self._replicas.find_by_id(asked.topic_id, asked.index)
        return self._replicas.find(asked.topic, asked.index)

    def _follower_fetched(
        self, partition: Partition, follower: NodeId, asked: SessionPartition
    ) -> None:
        """Note that a follower has everything before the offset that it asks for."""
        leader = partition.leader
        assert leader is not None
        now_ms = self._clock.monotonic_ms()
        if leader.follower_fetched(follower, Offset(asked.fetch_offset), now_ms):
            partition.acks.release(leader.high_watermark)
            self._loop.call_soon(partition.wake_waiters)

    # -- waiting ---------------------------------------------------------------------------------

    def _is_enough(self, fetch: Fetch, reads: list[Read]) -> bool:
        """Whether to answer now: enough bytes, or something the client must hear of."""
        found_bytes = 0
        for read in reads:
            answer = read.answer
            if answer.error_code or answer.diverging_epoch is not None:
                return True
            if read.slice is not None:
                found_bytes += read.slice.length
        wanted_bytes = min(fetch.request.min_bytes, fetch.bytes_max)
        if found_bytes >= wanted_bytes:
            return True
        # A slice ends with its segment: what the next ones hold counts too.
        return found_bytes > 0 and self._available_bytes(fetch) >= wanted_bytes

    def _available_bytes(self, fetch: Fetch) -> int:
        """What is there to read over all segments, as far as each partition's limit."""
        available_bytes = 0
        for asked in fetch.asked:
            partition = self._find(fetch, asked)
            if isinstance(partition, Partition) and partition.leader is not None:
                end_offset = _end_offset(fetch, partition)
                found_bytes = partition.log.available_bytes(asked.fetch_offset, end_offset)
                available_bytes += min(found_bytes, asked.max_bytes)
        return available_bytes

    def _wait(self, fetch: Fetch) -> None:
        partitions = [
            partition
            for partition in (self._find(fetch, asked) for asked in fetch.asked)
            if isinstance(partition, Partition)
        ]
        self._waiting[fetch.exchange.connection] = fetch
        if fetch.exchange.account is not None:
            fetch.waiting_since_ns = perf_counter_ns()
        if fetch.exchange.meter is not None:
            fetch.exchange.meter.pause()
        fetch.wait = FetchWait(
            partitions,
            fetch.request.max_wait_ms,
            is_satisfied=lambda: self._is_enough(fetch, self._read_all(fetch)),
            answer=lambda: self._answer_waiting(fetch),
            loop=self._loop,
        )

    def _answer_waiting(self, fetch: Fetch) -> None:
        self._waiting.pop(fetch.exchange.connection, None)
        if fetch.exchange.account is not None:
            fetch.exchange = fetch.exchange.resumed(fetch.waiting_since_ns)
        if fetch.exchange.meter is not None:
            fetch.exchange.meter.resume()
        self._answer(fetch, self._read_all(fetch))

    # -- answering -------------------------------------------------------------------------------

    def _answer(self, fetch: Fetch, reads: list[Read]) -> None:
        told = reads
        session = fetch.session
        if session is not None and fetch.request.session_epoch != INITIAL_EPOCH:
            told = [read for read in reads if _is_news(read)]
        verdict = GRANTED
        if fetch.exchange.meter is not None:
            verdict = self._charge(fetch, fetch.exchange.meter, told)
            if verdict.withheld:
                self._answer_nothing(fetch, verdict.wait_ms)
                return
        for read in told:
            _load(read)
            if session is not None:
                _remember_told(session, read)
        if self.topic_reads is not None:
            self.topic_reads.note(told)
            for read in told:
                if read.answer.error_code:
                    fetch.exchange.count_refusal(read.answer.error_code)
        fetch.exchange.answer(
            FetchResponse(
                throttle_time_ms=verdict.wait_ms,
                session_id=NO_SESSION if session is None else session.session_id,
                responses=_group_by_topic(told),
            )
        )

    def _charge(self, fetch: Fetch, meter: Meter, told: list[Read]) -> FetchVerdict:
        """Whether the client's quotas allow the answer; brokers that copy have none."""
        if fetch.follower is not None:
            meter.exempt()
            return GRANTED
        heading = fetch.exchange.frame_of(FetchResponse(responses=_group_by_topic(told)))
        records_bytes = sum(read.slice.length for read in told if read.slice is not None)
        return meter.charge_fetch(sum(map(len, heading)) + records_bytes)

    def _answer_nothing(self, fetch: Fetch, wait_ms: int) -> None:
        """The client asks again after a while; a session has told it nothing new."""
        session_id = NO_SESSION
        if fetch.session is not None and fetch.request.session_epoch == INITIAL_EPOCH:
            # The client would take a session for one whose partitions it has been told of.
            self._sessions.close(fetch.session.session_id)
        elif fetch.session is not None:
            session_id = fetch.session.session_id
        fetch.exchange.answer(FetchResponse(throttle_time_ms=wait_ms, session_id=session_id))


def _end_offset(fetch: Fetch, partition: Partition) -> Offset:
    """Exclusive end of what the asker may see: a follower copies what is not committed yet."""
    if fetch.follower is not None:
        return partition.log.log_end_offset
    return partition.readable_end(committed_only=fetch.committed_only)


def _asked_partitions(request: FetchRequest) -> list[SessionPartition]:
    return [
        SessionPartition(
            topic=topic.topic,
            topic_id=topic.topic_id,
            index=partition.partition,
            fetch_offset=partition.fetch_offset,
            max_bytes=partition.partition_max_bytes,
            current_leader_epoch=partition.current_leader_epoch,
            last_fetched_epoch=partition.last_fetched_epoch,
        )
        for topic in request.topics
        for partition in topic.partitions
    ]


def _forgotten_partitions(request: FetchRequest) -> Iterable[tuple[str, bytes, int]]:
    for topic in request.forgotten_topics_data:
        for index in topic.partitions:
            yield topic.topic, topic.topic_id, index


def _accepted(partition: Partition, *, committed_only: bool) -> PartitionData:
    return PartitionData(
        partition_index=partition.index,
        error_code=ErrorCode.NONE,
        high_watermark=partition.high_watermark,
        last_stable_offset=partition.last_stable_offset,
        log_start_offset=partition.log.log_start_offset,
        aborted_transactions=[] if committed_only else None,
        records=b"",
    )


def _aborted(
    fetch: Fetch, partition: Partition, asked: SessionPartition
) -> list[AbortedTransaction]:
    """What a reader of committed records skips in what it gets. Raises StorageError."""
    if not fetch.committed_only:
        return []
    return [
        AbortedTransaction(producer_id=found.producer_id, first_offset=found.first_offset)
        for found in partition.log.aborted_transactions(
            asked.fetch_offset, partition.last_stable_offset
        )
    ]


def _refusal(index: int, error: ErrorCode) -> PartitionData:
    return PartitionData(
        partition_index=index,
        error_code=error,
        high_watermark=NO_OFFSET,
        last_stable_offset=NO_OFFSET,
        log_start_offset=NO_OFFSET,
        aborted_transactions=None,
        records=b"",
    )


def _leadership_refusal(fetch: Fetch, partition: Partition, error: ErrorCode) -> PartitionData:
    """Tell who leads, so that the client need not ask for metadata first (KIP-951)."""
    refusal = _refusal(partition.index, error)
    may_tell = fetch.exchange.version >= TELLS_LEADER and error in LEADERSHIP_ERRORS
    if may_tell and partition.state is not None:
        refusal.current_leader = LeaderIdAndEpoch(
            leader_id=partition.state.leader, leader_epoch=partition.state.leader_epoch
        )
    return refusal


def _diverging_epoch(partition: Partition, asked: SessionPartition) -> EpochEndOffset | None:
    """Where the asker's log left ours, if it did (KIP-595).

    Raises ProtocolError(OFFSET_OUT_OF_RANGE) for an epoch that nothing here tells of.
    """
    if asked.last_fetched_epoch == NO_EPOCH:
        return None
    epoch, end_offset = partition.log.epoch_end_offset(asked.last_fetched_epoch)
    if epoch == NO_EPOCH or end_offset == NO_OFFSET:
        raise ProtocolError(
            ErrorCode.OFFSET_OUT_OF_RANGE, f"no batch is of epoch {asked.last_fetched_epoch}"
        )
    if epoch < asked.last_fetched_epoch or end_offset < asked.fetch_offset:
        return EpochEndOffset(epoch=epoch, end_offset=end_offset)
    return None


def _is_news(read: Read) -> bool:
    """Whether an incremental answer names the partition."""
    answer = read.answer
    return (
        read.slice is not None
        or answer.error_code != ErrorCode.NONE
        or answer.diverging_epoch is not None
        or answer.high_watermark != read.asked.told_high_watermark
        or answer.log_start_offset != read.asked.told_log_start_offset
    )


def _remember_told(session: FetchSession, read: Read) -> None:
    asked = read.asked
    # After an error the client knows nothing: whatever comes next is news again.
    failed = read.answer.error_code != ErrorCode.NONE
    asked.told_high_watermark = -1 if failed else read.answer.high_watermark
    asked.told_log_start_offset = -1 if failed else read.answer.log_start_offset
    if read.slice is not None:
        session.move_to_end(asked)


def _load(read: Read) -> None:
    """Attach the records of a slice to its answer."""
    found = read.slice
    if found is None:
        return
    try:
        read.answer.records = file_segment(found.file, found.position, found.length)
    except OSError as error:
        log.error(  # noqa: TRY400 # the cause is in the message; a person must act
            "the disk refused a read: %s", error, extra={"file": found.file.path}
        )
        read.answer = _refusal(read.asked.index, ErrorCode.KAFKA_STORAGE_ERROR)


def _group_by_topic(reads: list[Read]) -> list[FetchableTopicResponse]:
    """Answers of neighbouring partitions of a topic under one heading, in the order served."""
    topics: list[FetchableTopicResponse] = []
    for read in reads:
        asked = read.asked
        last = topics[-1] if topics else None
        if last is None or last.topic != asked.topic or last.topic_id != asked.topic_id:
            last = FetchableTopicResponse(topic=asked.topic, topic_id=asked.topic_id, partitions=[])
            topics.append(last)
        last.partitions.append(read.answer)
    return topics
