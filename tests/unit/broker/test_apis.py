"""Handlers, messages and the table of APIs belong together: whatever is told is really served."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable

import pytest

from ottla.broker import apis
from ottla.broker.apis.api_versions import served_ranges
from ottla.broker.discovery import load_handlers
from ottla.broker.handlers import Handler, handlers
from ottla.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from ottla.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from ottla.wire.messages.alter_client_quotas import AlterClientQuotasRequest
from ottla.wire.messages.alter_configs import AlterConfigsRequest, AlterConfigsResource
from ottla.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from ottla.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from ottla.wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
)
from ottla.wire.messages.api_versions import ApiVersionsRequest
from ottla.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from ottla.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from ottla.wire.messages.create_acls import AclCreation, CreateAclsRequest
from ottla.wire.messages.create_delegation_token import CreateDelegationTokenRequest
from ottla.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from ottla.wire.messages.delete_groups import DeleteGroupsRequest
from ottla.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from ottla.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.messages.describe_acls import DescribeAclsRequest
from ottla.wire.messages.describe_client_quotas import DescribeClientQuotasRequest
from ottla.wire.messages.describe_cluster import DescribeClusterRequest
from ottla.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.wire.messages.describe_delegation_token import DescribeDelegationTokenRequest
from ottla.wire.messages.describe_groups import DescribeGroupsRequest
from ottla.wire.messages.describe_log_dirs import DescribeLogDirsRequest
from ottla.wire.messages.describe_producers import DescribeProducersRequest
from ottla.wire.messages.describe_producers import TopicRequest as ProducersOfTopic
from ottla.wire.messages.describe_quorum import DescribeQuorumRequest
from ottla.wire.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    TopicRequest,
)
from ottla.wire.messages.describe_transactions import DescribeTransactionsRequest
from ottla.wire.messages.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
)
from ottla.wire.messages.elect_leaders import ElectLeadersRequest
from ottla.wire.messages.end_txn import EndTxnRequest
from ottla.wire.messages.expire_delegation_token import ExpireDelegationTokenRequest
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest
from ottla.wire.messages.get_telemetry_subscriptions import GetTelemetrySubscriptionsRequest
from ottla.wire.messages.heartbeat import HeartbeatRequest
from ottla.wire.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
)
from ottla.wire.messages.init_producer_id import InitProducerIdRequest
from ottla.wire.messages.join_group import JoinGroupRequest
from ottla.wire.messages.leave_group import LeaveGroupRequest
from ottla.wire.messages.list_config_resources import ListConfigResourcesRequest
from ottla.wire.messages.list_groups import ListGroupsRequest
from ottla.wire.messages.list_offsets import ListOffsetsRequest
from ottla.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from ottla.wire.messages.list_transactions import ListTransactionsRequest
from ottla.wire.messages.metadata import MetadataRequest
from ottla.wire.messages.offset_commit import OffsetCommitRequest
from ottla.wire.messages.offset_delete import OffsetDeleteRequest
from ottla.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from ottla.wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.messages.push_telemetry import PushTelemetryRequest
from ottla.wire.messages.renew_delegation_token import RenewDelegationTokenRequest
from ottla.wire.messages.sasl_authenticate import SaslAuthenticateRequest
from ottla.wire.messages.sasl_handshake import SaslHandshakeRequest
from ottla.wire.messages.sync_group import SyncGroupRequest
from ottla.wire.messages.txn_offset_commit import TxnOffsetCommitRequest
from ottla.wire.messages.unregister_broker import UnregisterBrokerRequest
from ottla.wire.messages.update_features import UpdateFeaturesRequest
from ottla.wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from ottla.wire.schema import Message, requests, responses
from tests.support.data_requests import fetch, offset_at, partition_at, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.unit.broker.conftest import StartBroker

load_handlers()

MODULES = sorted(module.name for module in pkgutil.iter_modules(apis.__path__))
BY_ID = 13


def _add_partitions(version: int) -> AddPartitionsToTxnRequest:
    topics = [AddPartitionsToTxnTopic(name="orders", partitions=[0])]
    if version < 4:
        return AddPartitionsToTxnRequest(
            v3_and_below_transactional_id="t",
            v3_and_below_producer_id=1,
            v3_and_below_topics=topics,
        )
    transaction = AddPartitionsToTxnTransaction(
        transactional_id="t", producer_id=1, producer_epoch=0, topics=topics
    )
    return AddPartitionsToTxnRequest(transactions=[transaction])


MINIMAL: dict[type[Message], Callable[[int], Message]] = {
    ProduceRequest: lambda version: produce(("orders", 0, batch_of(b"a"))),
    FetchRequest: lambda version: fetch(("orders", partition_at(0, 0))),
    ListOffsetsRequest: lambda version: offset_at(("orders", 0, -1)),
    MetadataRequest: lambda version: MetadataRequest(topics=[] if version == 0 else None),
    JoinGroupRequest: lambda version: JoinGroupRequest(
        group_id="group", session_timeout_ms=10_000, member_id="unknown", protocol_type="consumer"
    ),
    SyncGroupRequest: lambda version: SyncGroupRequest(
        group_id="group", generation_id=1, member_id="unknown"
    ),
    HeartbeatRequest: lambda version: HeartbeatRequest(
        group_id="group", generation_id=1, member_id="unknown"
    ),
    LeaveGroupRequest: lambda version: LeaveGroupRequest(group_id="group"),
    OffsetCommitRequest: lambda version: OffsetCommitRequest(group_id="group"),
    OffsetFetchRequest: lambda version: OffsetFetchRequest(
        group_id="group" if version < 8 else "",
        groups=[OffsetFetchRequestGroup(group_id="group")] if version >= 8 else [],
    ),
    OffsetDeleteRequest: lambda version: OffsetDeleteRequest(group_id="group"),
    DescribeGroupsRequest: lambda version: DescribeGroupsRequest(groups=["group"]),
    ListGroupsRequest: lambda version: ListGroupsRequest(),
    DeleteGroupsRequest: lambda version: DeleteGroupsRequest(groups_names=["group"]),
    TxnOffsetCommitRequest: lambda version: TxnOffsetCommitRequest(
        transactional_id="t", group_id="group", producer_id=1, producer_epoch=0
    ),
    FindCoordinatorRequest: lambda version: FindCoordinatorRequest(
        key="group" if version < 4 else "", coordinator_keys=["group"] if version >= 4 else []
    ),
    ApiVersionsRequest: lambda version: ApiVersionsRequest(
        client_software_name="test", client_software_version="1"
    ),
    CreateTopicsRequest: lambda version: CreateTopicsRequest(
        topics=[
            CreatableTopic(
                name="new", num_partitions=1, replication_factor=1, assignments=[], configs=[]
            )
        ]
    ),
    DeleteTopicsRequest: lambda version: DeleteTopicsRequest(
        topics=[DeleteTopicState(name="orders", topic_id=bytes(16))] if version >= 6 else [],
        topic_names=["orders"] if version < 6 else [],
        timeout_ms=1000,
    ),
    DeleteRecordsRequest: lambda version: DeleteRecordsRequest(
        topics=[
            DeleteRecordsTopic(
                name="orders", partitions=[DeleteRecordsPartition(partition_index=0, offset=-1)]
            )
        ],
        timeout_ms=1000,
    ),
    OffsetForLeaderEpochRequest: lambda version: OffsetForLeaderEpochRequest(
        topics=[
            OffsetForLeaderTopic(
                topic="orders", partitions=[OffsetForLeaderPartition(partition=0, leader_epoch=0)]
            )
        ]
    ),
    InitProducerIdRequest: lambda version: InitProducerIdRequest(
        transactional_id=None, transaction_timeout_ms=0
    ),
    AlterConfigsRequest: lambda version: AlterConfigsRequest(
        resources=[AlterConfigsResource(resource_type=2, resource_name="orders", configs=[])]
    ),
    IncrementalAlterConfigsRequest: lambda version: IncrementalAlterConfigsRequest(
        resources=[
            IncrementalAlterConfigsResource(resource_type=2, resource_name="orders", configs=[])
        ]
    ),
    ListConfigResourcesRequest: lambda version: ListConfigResourcesRequest(),
    DescribeConfigsRequest: lambda version: DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(
                resource_type=2, resource_name="orders", configuration_keys=None
            )
        ],
        include_synonyms=True,
        include_documentation=version >= 3,
    ),
    AlterReplicaLogDirsRequest: lambda version: AlterReplicaLogDirsRequest(
        dirs=[
            AlterReplicaLogDir(
                path="/nowhere", topics=[AlterReplicaLogDirTopic(name="orders", partitions=[0])]
            )
        ]
    ),
    DescribeLogDirsRequest: lambda version: DescribeLogDirsRequest(topics=None),
    AddPartitionsToTxnRequest: _add_partitions,
    AddOffsetsToTxnRequest: lambda version: AddOffsetsToTxnRequest(
        transactional_id="t", producer_id=1, producer_epoch=0, group_id="group"
    ),
    EndTxnRequest: lambda version: EndTxnRequest(
        transactional_id="t", producer_id=1, producer_epoch=0, committed=True
    ),
    WriteTxnMarkersRequest: lambda version: WriteTxnMarkersRequest(
        markers=[
            WritableTxnMarker(
                producer_id=1,
                producer_epoch=0,
                transaction_result=False,
                topics=[WritableTxnMarkerTopic(name="orders", partition_indexes=[0])],
                coordinator_epoch=0,
            )
        ]
    ),
    DescribeTransactionsRequest: lambda version: DescribeTransactionsRequest(
        transactional_ids=["t"]
    ),
    ListTransactionsRequest: lambda version: ListTransactionsRequest(),
    DescribeProducersRequest: lambda version: DescribeProducersRequest(
        topics=[ProducersOfTopic(name="orders", partition_indexes=[0])]
    ),
    CreatePartitionsRequest: lambda version: CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name="orders", count=2, assignments=None)],
        timeout_ms=1000,
        validate_only=False,
    ),
    DescribeClusterRequest: lambda version: DescribeClusterRequest(
        include_cluster_authorized_operations=True
    ),
    DescribeTopicPartitionsRequest: lambda version: DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name="orders")]
    ),
    ConsumerGroupHeartbeatRequest: lambda version: ConsumerGroupHeartbeatRequest(
        group_id="group",
        member_id="" if version == 0 else "member",
        member_epoch=0,
        rebalance_timeout_ms=1000,
        subscribed_topic_names=["orders"],
        topic_partitions=[],
    ),
    DescribeClientQuotasRequest: lambda version: DescribeClientQuotasRequest(
        components=[], strict=False
    ),
    AlterClientQuotasRequest: lambda version: AlterClientQuotasRequest(
        entries=[], validate_only=False
    ),
    GetTelemetrySubscriptionsRequest: lambda version: GetTelemetrySubscriptionsRequest(
        client_instance_id=bytes(16)
    ),
    PushTelemetryRequest: lambda version: PushTelemetryRequest(
        client_instance_id=b"i" * 16,
        subscription_id=0,
        terminating=False,
        compression_type=0,
        metrics=b"",
    ),
    ConsumerGroupDescribeRequest: lambda version: ConsumerGroupDescribeRequest(group_ids=["group"]),
    ElectLeadersRequest: lambda version: ElectLeadersRequest(topic_partitions=None),
    AlterPartitionReassignmentsRequest: lambda version: AlterPartitionReassignmentsRequest(
        topics=[]
    ),
    ListPartitionReassignmentsRequest: lambda version: ListPartitionReassignmentsRequest(),
    DescribeQuorumRequest: lambda version: DescribeQuorumRequest(topics=[]),
    UpdateFeaturesRequest: lambda version: UpdateFeaturesRequest(feature_updates=[]),
    UnregisterBrokerRequest: lambda version: UnregisterBrokerRequest(broker_id=99),
    SaslHandshakeRequest: lambda version: SaslHandshakeRequest(mechanism="PLAIN"),
    SaslAuthenticateRequest: lambda version: SaslAuthenticateRequest(auth_bytes=b""),
    DescribeAclsRequest: lambda version: DescribeAclsRequest(
        resource_type_filter=1, operation=1, permission_type=1
    ),
    CreateAclsRequest: lambda version: CreateAclsRequest(
        creations=[
            AclCreation(
                resource_type=2,
                resource_name="orders",
                principal="User:alice",
                host="*",
                operation=3,
                permission_type=3,
            )
        ]
    ),
    DeleteAclsRequest: lambda version: DeleteAclsRequest(
        filters=[DeleteAclsFilter(resource_type_filter=1, operation=1, permission_type=1)]
    ),
    DescribeUserScramCredentialsRequest: lambda version: DescribeUserScramCredentialsRequest(),
    AlterUserScramCredentialsRequest: lambda version: AlterUserScramCredentialsRequest(
        deletions=[ScramCredentialDeletion(name="alice", mechanism=1)], upsertions=[]
    ),
    CreateDelegationTokenRequest: lambda version: CreateDelegationTokenRequest(
        renewers=[], max_lifetime_ms=-1
    ),
    RenewDelegationTokenRequest: lambda version: RenewDelegationTokenRequest(
        hmac=b"secret", renew_period_ms=-1
    ),
    ExpireDelegationTokenRequest: lambda version: ExpireDelegationTokenRequest(
        hmac=b"secret", expiry_time_period_ms=-1
    ),
    DescribeDelegationTokenRequest: lambda version: DescribeDelegationTokenRequest(),
}
"""The smallest request of each API that means something: add a line with each new API."""

SERVED = [
    (handler, version)
    for handler in handlers.values()
    for version in range(handler.versions.min, handler.versions.max + 1)
]


@pytest.fixture
def broker(start_broker: StartBroker) -> MemoryBroker:
    """One whose numbers somebody reads: it asks clients for theirs, too."""
    return start_broker(ottla_http_listeners="localhost:0")


def test_every_module_registers_exactly_one_api() -> None:
    registered: dict[str, list[Handler]] = {}
    for handler in handlers.values():
        name = (
            handler.function.__module__
            if handler.function is not None
            else f"{apis.__name__}.{handler.request_type.__module__.rpartition('.')[2]}"
        )
        registered.setdefault(name, []).append(handler)
    assert sorted(registered) == [f"{apis.__name__}.{module}" for module in MODULES]
    assert all(len(found) == 1 for found in registered.values())
    assert all(name in sys.modules for name in registered)


@pytest.mark.parametrize("handler", handlers.values(), ids=lambda handler: str(handler.api_key))
def test_a_module_is_called_as_the_message_that_it_serves(handler: Handler) -> None:
    module = handler.request_type.__module__.rpartition(".")[2]
    assert module in MODULES
    if handler.function is not None:
        assert handler.function.__module__ == f"{apis.__name__}.{module}"


@pytest.mark.parametrize("handler", handlers.values(), ids=lambda handler: str(handler.api_key))
def test_what_is_served_is_declared(handler: Handler) -> None:
    request, response = requests[handler.api_key], responses[handler.api_key]
    assert handler.request_type is request
    for declared in (request.VERSIONS, response.VERSIONS):
        assert declared.min <= handler.versions.min <= handler.versions.max <= declared.max


def test_what_is_advertised_is_served_but_for_produce() -> None:
    for told in served_ranges():
        handler = handlers[told.api_key]
        assert told.max_version == handler.versions.max
        if told.api_key != ProduceRequest.API_KEY:
            assert told.min_version == handler.versions.min


def test_every_api_has_a_minimal_request_here() -> None:
    missing = {handler.request_type for handler in handlers.values()} - MINIMAL.keys()
    assert not missing


@pytest.mark.parametrize(
    ("handler", "version"),
    SERVED,
    ids=[f"{handler.request_type.__name__}-{version}" for handler, version in SERVED],
)
def test_every_served_version_is_answered(
    broker: MemoryBroker, client: Client, handler: Handler, version: int
) -> None:
    topic_id = broker.create_topic("orders")
    request = MINIMAL[handler.request_type](version)
    if isinstance(request, ProduceRequest) and version >= BY_ID:
        request = produce((topic_id, 0, batch_of(b"a")))
    if isinstance(request, FetchRequest) and version >= BY_ID:
        request = fetch((topic_id, partition_at(0, 0)))
    client.ask(request, responses[handler.api_key], version=version)
    assert not client.is_closed
