"""Transactions through the whole broker, as clients of both protocols use them."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from ottla.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from ottla.wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    TopicRequest,
)
from ottla.wire.messages.describe_producers import (
    PartitionResponse as ProducersOfPartition,
)
from ottla.wire.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)
from ottla.wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.messages.list_transactions import (
    ListTransactionsRequest,
    ListTransactionsResponse,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from ottla.wire.messages.produce import PartitionProduceResponse, ProduceRequest, ProduceResponse
from ottla.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
)
from ottla.wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from ottla.wire.records.batch import build_batch, iter_batches
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.record import Record, iter_records
from tests.support.data_requests import (
    BY_ID,
    BY_NAME,
    fetch,
    fetched,
    partition_at,
    produce,
    produced,
)
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.stepped_loop import START_MS
from tests.unit.broker.conftest import Connect, StartBroker

ID = "payments"
GROUP = "readers"
TIMEOUT_MS = 20_000
OLD = 11
"""The last version of Produce before a producer's writes add partitions by themselves."""
READ_COMMITTED = 1
TRANSACTION = 1

Producer = tuple[int, int]


class Transactional:
    """A producer with the transactional id; `version` 2 adds by writing, 1 asks first."""

    def __init__(self, client: Client, version: int = 2) -> None:
        self.client = client
        self.version = version
        self.producer: Producer = (-1, -1)

    def init(self, resumed: Producer = (-1, -1), *, version: int | None = None) -> ErrorCode:
        answer = self.client.ask(
            InitProducerIdRequest(
                transactional_id=ID,
                transaction_timeout_ms=TIMEOUT_MS,
                producer_id=resumed[0],
                producer_epoch=resumed[1],
            ),
            InitProducerIdResponse,
            version=version,
        )
        if not answer.error_code:
            self.producer = answer.producer_id, answer.producer_epoch
        return ErrorCode(answer.error_code)

    def add(self, *indexes: int, version: int = 3) -> ErrorCode:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=ID,
            v3_and_below_producer_id=self.producer[0],
            v3_and_below_producer_epoch=self.producer[1],
            v3_and_below_topics=[AddPartitionsToTxnTopic(name="orders", partitions=list(indexes))],
        )
        answer = self.client.ask(request, AddPartitionsToTxnResponse, version=version)
        codes = {
            found.partition_error_code
            for topic in answer.results_by_topic_v3_and_below
            for found in topic.results_by_partition
        }
        (code,) = codes
        return ErrorCode(code)

    def request(
        self, value: bytes, sequence: int, index: int = 0, acks: int = -1
    ) -> ProduceRequest:
        batch = build_batch(
            [Record(timestamp=START_MS, key=None, value=value)],
            producer_id=self.producer[0],
            producer_epoch=self.producer[1],
            base_sequence=sequence,
            transactional=True,
        )
        request = produce(("orders", index, batch), acks=acks)
        request.transactional_id = ID
        return request

    def write(self, value: bytes, sequence: int, index: int = 0) -> ErrorCode:
        version = OLD if self.version < 2 else BY_NAME
        answer = self.client.ask(
            self.request(value, sequence, index), ProduceResponse, version=version
        )
        (found,) = produced(answer)
        return ErrorCode(found.error_code)

    def begin(self, *indexes: int) -> None:
        """A transaction that has a record `open` in each of these partitions."""
        if self.version < 2:
            assert self.add(*indexes) is ErrorCode.NONE
        for index in indexes:
            assert self.write(b"open", 0, index) is ErrorCode.NONE

    def end(self, *, commit: bool, version: int | None = None) -> ErrorCode:
        asked = EndTxnRequest(
            transactional_id=ID,
            producer_id=self.producer[0],
            producer_epoch=self.producer[1],
            committed=commit,
        )
        chosen = version if version is not None else (5 if self.version == 2 else 4)
        answer = self.client.ask(asked, EndTxnResponse, version=chosen)
        if not answer.error_code and chosen >= 5:
            self.producer = answer.producer_id, answer.producer_epoch
        return ErrorCode(answer.error_code)


def find(client: Client) -> FindCoordinatorResponse:
    request = FindCoordinatorRequest(key_type=TRANSACTION, coordinator_keys=[ID])
    return client.ask(request, FindCoordinatorResponse)


@pytest.fixture
def client(broker: MemoryBroker, connect: Connect) -> Client:
    """A client that has asked where transactions are coordinated; there is a topic to write to."""
    broker.create_topic("orders", 2)
    found = connect(broker)
    (coordinator,) = find(found).coordinators
    assert (coordinator.error_code, coordinator.node_id) == (ErrorCode.NONE, broker.broker.node_id)
    return found


@pytest.fixture(params=[1, 2])
def producer(client: Client, request: pytest.FixtureRequest) -> Transactional:
    """An initialised producer of each protocol."""
    made = Transactional(client, request.param)
    assert made.init() is ErrorCode.NONE
    return made


def seen(client: Client, index: int = 0) -> list[bytes]:
    """What a reader of committed records sees."""
    asked = fetch(("orders", partition_at(index, 0)), isolation_level=READ_COMMITTED)
    (part,) = fetched(client.ask(asked, FetchResponse, version=BY_NAME))
    coming = sorted(part.aborted_transactions or [], key=lambda entry: entry.first_offset)
    skipped: set[int] = set()
    values = []
    assert part.records is not None
    for header, batch in iter_batches(part.records):
        while coming and coming[0].first_offset <= header.last_offset:
            skipped.add(coming.pop(0).producer_id)
        for record in iter_records(batch):
            if header.is_control:
                if control_type(record.key) is ControlType.ABORT:
                    skipped.discard(header.producer_id)
            elif header.producer_id not in skipped:
                assert record.value is not None
                values.append(bytes(record.value))
    return values


def described(client: Client) -> TransactionState:
    request = DescribeTransactionsRequest(transactional_ids=[ID])
    (found,) = client.ask(request, DescribeTransactionsResponse).transaction_states
    return found


def producers(client: Client, index: int = 0) -> ProducersOfPartition:
    request = DescribeProducersRequest(
        topics=[TopicRequest(name="orders", partition_indexes=[index])]
    )
    (topic,) = client.ask(request, DescribeProducersResponse).topics
    (found,) = topic.partitions
    return found


# -- whole transactions ----------------------------------------------------------------------------


@pytest.mark.parametrize("commit", [True, False])
def test_records_are_seen_when_the_transaction_commits_and_never_else(
    client: Client, producer: Transactional, commit: bool
) -> None:
    producer.begin(0, 1)
    assert seen(client, 0) == seen(client, 1) == []
    assert producer.end(commit=commit) is ErrorCode.NONE
    assert seen(client, 0) == seen(client, 1) == ([b"open"] if commit else [])
    assert described(client).transaction_state == ("CompleteCommit" if commit else "CompleteAbort")


def test_transactions_follow_each_other(client: Client, producer: Transactional) -> None:
    sequence = 0
    for number in range(4):
        if producer.version < 2:
            assert producer.add(0) is ErrorCode.NONE
        else:
            sequence = 0
        assert producer.write(b"%d" % number, sequence) is ErrorCode.NONE
        sequence += 1
        assert producer.end(commit=number % 2 == 0) is ErrorCode.NONE
    assert seen(client) == [b"0", b"2"]


def test_what_follows_an_open_transaction_waits_for_it(
    broker: MemoryBroker, client: Client, producer: Transactional
) -> None:
    producer.begin(0)
    plain = build_batch([Record(timestamp=START_MS, key=None, value=b"plain")])
    client.ask(produce(("orders", 0, plain)), ProduceResponse, version=BY_NAME)
    assert seen(client) == []
    producer.end(commit=False)
    assert seen(client) == [b"plain"]
    stable = broker.partition("orders").last_stable_offset
    assert stable == broker.partition("orders").high_watermark


def test_frames_behind_one_that_is_verified_keep_their_order(
    client: Client, producer: Transactional
) -> None:
    if producer.version < 2:
        producer.add(0)
    version = OLD if producer.version < 2 else BY_NAME
    client.send(*[producer.request(b"%d" % number, number) for number in range(4)], version=version)
    answers = [
        produced(answer)[0] for answer in client.answers() if isinstance(answer, ProduceResponse)
    ]
    assert [(answer.error_code, answer.base_offset) for answer in answers] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (0, 3),
    ]
    producer.end(commit=True)
    assert seen(client) == [b"0", b"1", b"2", b"3"]


def test_topics_by_id_and_refused_partitions_are_answered_each(
    client: Client, broker: MemoryBroker
) -> None:
    topic_id = broker.broker.metadata.image.topics_by_name["orders"].topic_id
    producer = Transactional(client)
    producer.init()
    request = producer.request(b"a", 0)
    request.topic_data[0].topic_id = topic_id
    (found,) = produced(client.ask(request, ProduceResponse, version=BY_ID))
    assert found.error_code == ErrorCode.NONE
    older = producer.producer
    producer.end(commit=True)
    late = Transactional(client)
    late.producer = older[0], older[1] - 0
    request = late.request(b"late", 0, index=1)
    request.topic_data[0].topic_id = topic_id
    response = client.ask(request, ProduceResponse, version=BY_ID)
    assert response.responses[0].topic_id == topic_id
    (refused,) = produced(response)
    assert refused.error_code == ErrorCode.INVALID_PRODUCER_EPOCH


# -- verification ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "error"),
    [(11, ErrorCode.TRANSACTION_ABORTABLE), (10, ErrorCode.INVALID_TXN_STATE)],
)
def test_an_older_client_must_add_a_partition_before_it_writes(
    client: Client, version: int, error: ErrorCode
) -> None:
    producer = Transactional(client, 1)
    producer.init()
    producer.add(1)
    answer = client.ask(producer.request(b"a", 0), ProduceResponse, version=version)
    assert [found.error_code for found in produced(answer)] == [error]


def test_without_verification_an_older_client_may_write_at_once(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(transaction_partition_verification_enable="false")
    broker.create_topic("orders", 2)
    client = connect(broker)
    find(client)
    producer = Transactional(client, 1)
    producer.init()
    assert producer.write(b"a", 0) is ErrorCode.NONE


def test_a_transactional_batch_without_a_transactional_id_is_refused(client: Client) -> None:
    producer = Transactional(client)
    producer.init()
    producer.begin(0)
    request = producer.request(b"a", 1)
    request.transactional_id = None
    (refused,) = produced(client.ask(request, ProduceResponse, version=BY_NAME))
    assert refused.error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_a_first_batch_of_a_transaction_begins_with_sequence_0(client: Client) -> None:
    producer = Transactional(client)
    producer.init()
    assert producer.write(b"a", 3) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


@pytest.mark.parametrize(
    ("version", "error"), [(4, ErrorCode.INVALID_TXN_STATE), (5, ErrorCode.TRANSACTION_ABORTABLE)]
)
def test_other_brokers_verify_and_add_for_several_transactions(
    client: Client, version: int, error: ErrorCode
) -> None:
    producer = Transactional(client)
    producer.init()

    def asked(*, verify_only: bool) -> list[int]:
        transaction = AddPartitionsToTxnTransaction(
            transactional_id=ID,
            producer_id=producer.producer[0],
            producer_epoch=producer.producer[1],
            verify_only=verify_only,
            topics=[AddPartitionsToTxnTopic(name="orders", partitions=[0])],
        )
        request = AddPartitionsToTxnRequest(transactions=[transaction])
        answer = client.ask(request, AddPartitionsToTxnResponse, version=version)
        (result,) = answer.results_by_transaction
        assert result.transactional_id == ID
        return [
            found.partition_error_code
            for topic in result.topic_results
            for found in topic.results_by_partition
        ]

    assert asked(verify_only=True) == [error]
    assert asked(verify_only=False) == [ErrorCode.NONE]
    assert asked(verify_only=True) == [ErrorCode.NONE]


def test_of_partitions_that_are_not_all_there_none_is_added(client: Client) -> None:
    producer = Transactional(client, 1)
    producer.init()
    request = AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=ID,
        v3_and_below_producer_id=producer.producer[0],
        v3_and_below_producer_epoch=producer.producer[1],
        v3_and_below_topics=[AddPartitionsToTxnTopic(name="orders", partitions=[0, 7])],
    )
    answer = client.ask(request, AddPartitionsToTxnResponse, version=3)
    (topic,) = answer.results_by_topic_v3_and_below
    assert [found.partition_error_code for found in topic.results_by_partition] == [
        ErrorCode.OPERATION_NOT_ATTEMPTED,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]
    assert described(client).transaction_state == "Empty"


# -- fencing ---------------------------------------------------------------------------------------


def test_a_new_instance_aborts_and_fences_the_one_before(
    client: Client, producer: Transactional, connect: Connect, broker: MemoryBroker
) -> None:
    producer.begin(0)
    newer = Transactional(connect(broker), producer.version)
    assert newer.init() is ErrorCode.CONCURRENT_TRANSACTIONS
    assert newer.init() is ErrorCode.NONE
    assert producer.write(b"late", 1) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert producer.write(b"late", 0, 1) is (ErrorCode.INVALID_PRODUCER_EPOCH)
    assert producer.end(commit=True) is ErrorCode.PRODUCER_FENCED
    assert seen(client) == []
    newer.begin(0)
    assert newer.end(commit=True) is ErrorCode.NONE
    assert seen(client) == [b"open"]


@pytest.mark.parametrize(
    ("version", "error"),
    [(3, ErrorCode.INVALID_PRODUCER_EPOCH), (4, ErrorCode.PRODUCER_FENCED)],
)
def test_init_tells_older_clients_of_fencing_in_older_words(
    client: Client, version: int, error: ErrorCode
) -> None:
    producer = Transactional(client)
    producer.init()
    older = producer.producer
    producer.init()
    assert producer.init(older, version=version) is error


@pytest.mark.parametrize(
    ("version", "error"),
    [(1, ErrorCode.INVALID_PRODUCER_EPOCH), (2, ErrorCode.PRODUCER_FENCED)],
)
def test_other_requests_tell_older_clients_in_older_words(
    client: Client, version: int, error: ErrorCode
) -> None:
    producer, older = Transactional(client), Transactional(client)
    producer.init()
    older.producer = producer.producer
    producer.init()
    assert older.end(commit=True, version=version) is error
    assert older.add(0, version=version) is error


def test_half_an_identity_is_no_request(client: Client) -> None:
    assert Transactional(client).init((5, -1)) is ErrorCode.INVALID_REQUEST
    assert Transactional(client).init((-1, 5)) is ErrorCode.INVALID_REQUEST


def test_a_transaction_that_times_out_is_aborted_and_its_producer_fenced(
    broker: MemoryBroker, client: Client, producer: Transactional
) -> None:
    producer.begin(0)
    broker.loop.advance(TIMEOUT_MS)
    assert described(client).transaction_state == "Ongoing"
    broker.loop.advance(10_001)
    assert described(client).transaction_state == "CompleteAbort"
    assert producer.write(b"late", 1) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert producer.end(commit=True) is ErrorCode.PRODUCER_FENCED
    assert seen(client) == []


def test_an_id_that_nobody_uses_is_forgotten(start_broker: StartBroker, connect: Connect) -> None:
    broker = start_broker(
        transactional_id_expiration_ms="5000",
        transaction_remove_expired_transaction_cleanup_interval_ms="1000",
    )
    client = connect(broker)
    find(client)
    Transactional(client).init()
    broker.loop.advance(4000)
    assert described(client).error_code == ErrorCode.NONE
    broker.loop.advance(2000)
    assert described(client).error_code == ErrorCode.TRANSACTIONAL_ID_NOT_FOUND


# -- failures --------------------------------------------------------------------------------------


def test_an_end_whose_marker_the_disk_refuses_is_finished_later(
    broker: MemoryBroker, client: Client, producer: Transactional
) -> None:
    producer.begin(0, 1)
    broker.disk.fail("append", "orders-1", errno.EINTR)
    assert producer.end(commit=True) is ErrorCode.NONE
    broker.disk.heal()
    assert described(client).transaction_state == "PrepareCommit"
    (topic,) = described(client).topics
    assert topic.partitions == [1]
    if producer.version < 2:
        assert producer.add(0) is ErrorCode.CONCURRENT_TRANSACTIONS
    broker.loop.advance(1000)
    assert described(client).transaction_state == "CompleteCommit"
    assert seen(client, 0) == seen(client, 1) == [b"open"]


@pytest.mark.parametrize("clean", [True, False])
def test_an_end_that_was_decided_is_finished_after_a_restart(
    broker: MemoryBroker, client: Client, producer: Transactional, connect: Connect, clean: bool
) -> None:
    producer.begin(0, 1)
    broker.disk.fail("append", "orders-1", errno.EINTR)
    assert producer.end(commit=True) is ErrorCode.NONE
    if clean:
        broker.disk.heal()
        broker.stop()
    else:
        broker.stop_uncleanly()
        broker.disk.heal()
    broker.start()
    again = connect(broker)
    broker.loop.settle()
    assert described(again).transaction_state == "CompleteCommit"
    assert seen(again, 0) == seen(again, 1) == [b"open"]


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("commit", [True, False])
def test_outcomes_are_known_after_a_restart(
    broker: MemoryBroker,
    client: Client,
    producer: Transactional,
    connect: Connect,
    clean: bool,
    commit: bool,
) -> None:
    producer.begin(0)
    producer.end(commit=commit)
    if clean:
        broker.stop()
    else:
        broker.stop_uncleanly()
    broker.start()
    assert seen(connect(broker)) == ([b"open"] if commit else [])


def test_an_end_that_cannot_be_written_down_has_not_happened(
    broker: MemoryBroker, client: Client, producer: Transactional
) -> None:
    producer.begin(0)
    broker.disk.fail("append", "__transaction_state", errno.ENOSPC)
    assert producer.end(commit=True) is ErrorCode.COORDINATOR_NOT_AVAILABLE
    broker.disk.heal()
    assert producer.end(commit=True) in (
        ErrorCode.NONE,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    )
    producer.end(commit=True)
    assert seen(client) == [b"open"]


# -- administration --------------------------------------------------------------------------------


def test_a_transaction_is_described_while_it_is_open(
    client: Client, producer: Transactional
) -> None:
    producer.begin(0, 1)
    found = described(client)
    assert (found.transaction_state, found.transaction_timeout_ms) == ("Ongoing", TIMEOUT_MS)
    assert (found.producer_id, found.producer_epoch) == producer.producer
    assert found.transaction_start_time_ms == START_MS
    (topic,) = found.topics
    assert (topic.topic, topic.partitions) == ("orders", [0, 1])


def test_what_is_not_known_is_described_so(client: Client) -> None:
    request = DescribeTransactionsRequest(transactional_ids=["nobody", ""])
    found = client.ask(request, DescribeTransactionsResponse).transaction_states
    assert [state.error_code for state in found] == [
        ErrorCode.TRANSACTIONAL_ID_NOT_FOUND,
        ErrorCode.INVALID_REQUEST,
    ]


def listed(client: Client, **filters: object) -> list[str]:
    request = ListTransactionsRequest(**filters)  # type: ignore[arg-type]  # the request's own fields
    response = client.ask(request, ListTransactionsResponse)
    assert response.error_code == ErrorCode.NONE
    return [state.transactional_id for state in response.transaction_states]


def test_transactions_are_listed_by_every_filter(
    broker: MemoryBroker, client: Client, producer: Transactional
) -> None:
    producer.begin(0)
    broker.loop.advance(100)
    assert listed(client) == [ID]
    assert listed(client, state_filters=["Ongoing"]) == [ID]
    assert listed(client, state_filters=["Empty"]) == []
    assert listed(client, producer_id_filters=[producer.producer[0]]) == [ID]
    assert listed(client, producer_id_filters=[-7]) == []
    assert listed(client, duration_filter=99) == [ID]
    assert listed(client, duration_filter=100) == []
    assert listed(client, transactional_id_pattern="pay.*") == [ID]
    assert listed(client, transactional_id_pattern="pay") == []


def test_unknown_states_and_bad_patterns_are_told(client: Client) -> None:
    request = ListTransactionsRequest(state_filters=["Ongoing", "Lost"])
    assert client.ask(request, ListTransactionsResponse).unknown_state_filters == ["Lost"]
    request = ListTransactionsRequest(transactional_id_pattern="(")
    answer = client.ask(request, ListTransactionsResponse)
    assert answer.error_code == ErrorCode.INVALID_REGULAR_EXPRESSION


def test_a_hanging_transaction_is_found_and_aborted_by_hand(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(transaction_partition_verification_enable="false")
    broker.create_topic("orders")
    client = connect(broker)
    find(client)
    producer = Transactional(client, 1)
    producer.init()
    assert producer.write(b"hangs", 0) is ErrorCode.NONE
    (found,) = producers(client).active_producers
    assert found.current_txn_start_offset == 0
    assert (found.producer_id, found.producer_epoch) == producer.producer
    marker = WritableTxnMarker(
        producer_id=found.producer_id,
        producer_epoch=found.producer_epoch,
        transaction_result=False,
        topics=[WritableTxnMarkerTopic(name="orders", partition_indexes=[0, 7])],
        coordinator_epoch=max(found.coordinator_epoch, 0),
    )
    answer = client.ask(WriteTxnMarkersRequest(markers=[marker]), WriteTxnMarkersResponse)
    assert [part.error_code for part in answer.markers[0].topics[0].partitions] == [
        ErrorCode.NONE,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]
    (found,) = producers(client).active_producers
    assert found.current_txn_start_offset == -1
    assert seen(client) == []
    partition = broker.partition("orders")
    assert partition.last_stable_offset == partition.high_watermark


@pytest.mark.parametrize(
    ("epoch", "coordinator_epoch", "error"),
    [
        (0, 0, ErrorCode.TRANSACTION_COORDINATOR_FENCED),
        (-1, 9, ErrorCode.INVALID_PRODUCER_EPOCH),
        (0, 9, ErrorCode.NONE),
    ],
)
def test_markers_of_older_epochs_are_refused(
    broker: MemoryBroker, client: Client, epoch: int, coordinator_epoch: int, error: ErrorCode
) -> None:
    def marker(coordinator_epoch: int, epoch: int) -> int:
        request = WriteTxnMarkersRequest(
            markers=[
                WritableTxnMarker(
                    producer_id=77,
                    producer_epoch=epoch,
                    transaction_result=True,
                    topics=[WritableTxnMarkerTopic(name="orders", partition_indexes=[0])],
                    coordinator_epoch=coordinator_epoch,
                )
            ]
        )
        answer = client.ask(request, WriteTxnMarkersResponse)
        return answer.markers[0].topics[0].partitions[0].error_code

    assert marker(5, 3) == ErrorCode.NONE
    end = broker.partition("orders").log.log_end_offset
    assert marker(coordinator_epoch, 3 + epoch) == error
    grown = broker.partition("orders").log.log_end_offset - end
    assert grown == (1 if error is ErrorCode.NONE else 0)


# -- positions of groups ---------------------------------------------------------------------------


def commit_offset(producer: Transactional, offset: int) -> PartitionProduceResponse | int:
    request = TxnOffsetCommitRequest(
        transactional_id=ID,
        group_id=GROUP,
        producer_id=producer.producer[0],
        producer_epoch=producer.producer[1],
        topics=[
            TxnOffsetCommitRequestTopic(
                name="orders",
                partitions=[
                    TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
                ],
            )
        ],
    )
    version = 5 if producer.version == 2 else 3
    answer = producer.client.ask(request, TxnOffsetCommitResponse, version=version)
    return answer.topics[0].partitions[0].error_code


def add_offsets(producer: Transactional) -> ErrorCode:
    request = AddOffsetsToTxnRequest(
        transactional_id=ID,
        group_id=GROUP,
        producer_id=producer.producer[0],
        producer_epoch=producer.producer[1],
    )
    answer = producer.client.ask(request, AddOffsetsToTxnResponse, version=3)
    return ErrorCode(answer.error_code)


def committed_offset(client: Client) -> int:
    request = OffsetFetchRequest(
        groups=[
            OffsetFetchRequestGroup(
                group_id=GROUP,
                topics=[OffsetFetchRequestTopics(name="orders", partition_indexes=[0])],
            )
        ]
    )
    answer = client.ask(request, OffsetFetchResponse, version=8)
    return answer.groups[0].topics[0].partitions[0].committed_offset


@pytest.mark.parametrize("commit", [True, False])
def test_positions_count_with_the_records_or_not_at_all(
    client: Client, producer: Transactional, commit: bool
) -> None:
    client.ask(FindCoordinatorRequest(coordinator_keys=[GROUP]), FindCoordinatorResponse)
    producer.begin(1)
    if producer.version < 2:
        assert add_offsets(producer) is ErrorCode.NONE
    assert commit_offset(producer, 42) == ErrorCode.NONE
    assert committed_offset(client) == -1
    assert producer.end(commit=commit) is ErrorCode.NONE
    assert committed_offset(client) == (42 if commit else -1)
    assert seen(client, 1) == ([b"open"] if commit else [])


def test_positions_outside_of_a_transaction_or_of_a_fenced_producer_are_refused(
    client: Client, producer: Transactional
) -> None:
    client.ask(FindCoordinatorRequest(coordinator_keys=[GROUP]), FindCoordinatorResponse)
    if producer.version < 2:
        assert commit_offset(producer, 42) == ErrorCode.INVALID_TXN_STATE
    older = producer.producer
    producer.init()
    newer, producer.producer = producer.producer, older
    assert commit_offset(producer, 42) == ErrorCode.INVALID_PRODUCER_EPOCH
    producer.producer = newer
    assert committed_offset(client) == -1
