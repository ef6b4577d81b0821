"""Requests of those who may and may not: about what is closed to us, and about what is open.

A case is a request in one version.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ottla.base.ids import ZERO_UUID
from ottla.broker.handlers import handlers
from ottla.wire.messages import (
    add_offsets_to_txn,
    add_partitions_to_txn,
    alter_client_quotas,
    alter_configs,
    alter_partition_reassignments,
    alter_replica_log_dirs,
    consumer_group_describe,
    consumer_group_heartbeat,
    create_partitions,
    create_topics,
    delete_groups,
    delete_records,
    delete_topics,
    describe_client_quotas,
    describe_cluster,
    describe_configs,
    describe_groups,
    describe_log_dirs,
    describe_producers,
    describe_quorum,
    describe_topic_partitions,
    describe_transactions,
    elect_leaders,
    end_txn,
    find_coordinator,
    heartbeat,
    incremental_alter_configs,
    init_producer_id,
    join_group,
    leave_group,
    list_config_resources,
    list_groups,
    list_partition_reassignments,
    list_transactions,
    metadata,
    offset_commit,
    offset_delete,
    offset_fetch,
    offset_for_leader_epoch,
    sync_group,
    txn_offset_commit,
    unregister_broker,
    update_features,
    write_txn_markers,
)
from ottla.wire.schema import Message
from tests.interop.acl_cases import (
    ALL,
    ALLOW,
    ANONYMOUS,
    CLUSTER,
    CLUSTER_ACTION,
    CREATE,
    DESCRIBE,
    GROUP,
    LITERAL,
    OPEN,
    PREFIXED,
    SECRET,
    SOMEBODY,
    TOPIC,
    TRANSACTIONAL_ID,
    Row,
    altering,
    but,
    creating,
    deleting,
    describing,
)
from tests.support.data_requests import fetch, offset_at, partition_at, produce
from tests.support.records import batch_of

BOTH: Final = (SECRET, OPEN)


def asked(ids: dict[str, bytes]) -> Iterator[tuple[Message, int]]:
    """Requests about a resource that is closed to us, and about one that is open; any order."""
    for request in _named():
        versions = handlers[request.API_KEY].versions
        for version in sorted({versions.min, versions.max}):
            shaped = _shaped(request, version, ids)
            if shaped is not None:
                yield shaped, version


def _shaped(request: Message, version: int, ids: dict[str, bytes]) -> Message | None:
    """The request as a version has it, or None where that cannot say it."""
    made = _OF_VERSION.get(type(request))
    return made(request, version, ids) if made is not None else request


def _metadata(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    if request.topics is None and version == 0:
        return metadata.MetadataRequest(topics=[])
    if version < 8:
        return metadata.MetadataRequest(topics=request.topics)
    return request  # type: ignore[no-any-return]  # as it is


def last(ids: dict[str, bytes]) -> Iterator[tuple[Message, int]]:
    """What would change topics where it is allowed: for when the cluster is closed to us."""
    topic = metadata.MetadataRequestTopic(name="looked-at", topic_id=ZERO_UUID)
    for version in (4, 13):
        yield metadata.MetadataRequest(topics=[topic]), version
    for version in (1, 6):
        yield _deleting(version, ids), version


def _deleting(version: int, ids: dict[str, bytes]) -> Message:
    names = ["secret-not", "looked-at", SECRET]
    if version < 6:
        return delete_topics.DeleteTopicsRequest(topic_names=names, timeout_ms=5000)
    state = delete_topics.DeleteTopicState
    return delete_topics.DeleteTopicsRequest(
        topics=[state(name=name, topic_id=ZERO_UUID) for name in names]
        + [state(name=None, topic_id=topic_id) for topic_id in (ids[SECRET], b"0" * 16)],
        timeout_ms=5000,
    )


def _committing(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    by_id = version >= 10
    return offset_commit.OffsetCommitRequest(
        group_id=request.group_id,
        topics=[
            offset_commit.OffsetCommitRequestTopic(
                name="" if by_id else name,
                topic_id=ids[name] if by_id else ZERO_UUID,
                partitions=[
                    offset_commit.OffsetCommitRequestPartition(
                        partition_index=0, committed_offset=1, committed_metadata=""
                    )
                ],
            )
            for name in BOTH
        ],
    )


def _fetching_offsets(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    if version < 8:
        return offset_fetch.OffsetFetchRequest(
            group_id=request.group_id,
            topics=[
                offset_fetch.OffsetFetchRequestTopic(name=name, partition_indexes=[0])
                for name in BOTH
            ],
        )
    by_id = version >= 10
    topics = [
        offset_fetch.OffsetFetchRequestTopics(
            name="" if by_id else name,
            topic_id=ids[name] if by_id else ZERO_UUID,
            partition_indexes=[0],
        )
        for name in BOTH
    ]
    group = offset_fetch.OffsetFetchRequestGroup
    return offset_fetch.OffsetFetchRequest(
        groups=[
            group(group_id=f"{SECRET}-group", topics=topics),
            group(group_id=f"{OPEN}-group", topics=topics),
            group(group_id=f"{OPEN}-all", topics=None),
        ]
    )


def _coordinating(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    if version < 4:
        if version < 1 and request.key_type:
            return None
        return find_coordinator.FindCoordinatorRequest(key=SECRET, key_type=request.key_type)
    return request  # type: ignore[no-any-return]  # as it is


def _adding(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    topics = [
        add_partitions_to_txn.AddPartitionsToTxnTopic(name=name, partitions=[0]) for name in BOTH
    ]
    if version >= 4:
        return None  # for brokers
    return add_partitions_to_txn.AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=request.v3_and_below_transactional_id,
        v3_and_below_producer_id=1,
        v3_and_below_topics=topics,
    )


def _producing(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    by_id = version >= 13
    return produce(*[(ids[name] if by_id else name, 0, batch_of(b"a")) for name in BOTH])


def _fetching(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    by_id = version >= 13
    return fetch(*[(ids[name] if by_id else name, partition_at(0, 0)) for name in BOTH])


def _heartbeat_of_consumer(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    request.member_id = "" if version == 0 else "member"
    return request  # type: ignore[no-any-return]  # as it is


def _leaving(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    if version < 3:
        return leave_group.LeaveGroupRequest(group_id=request.group_id, member_id="x")
    return request  # type: ignore[no-any-return]  # as it is


def _updating(request: Any, version: int, ids: dict[str, bytes]) -> Message | None:
    return request if version >= 1 else None  # version 0 cannot only try


_OF_VERSION: Final[dict[type[Message], Any]] = {
    type(produce()): _producing,
    type(fetch()): _fetching,
    metadata.MetadataRequest: _metadata,
    offset_commit.OffsetCommitRequest: _committing,
    offset_fetch.OffsetFetchRequest: _fetching_offsets,
    find_coordinator.FindCoordinatorRequest: _coordinating,
    add_partitions_to_txn.AddPartitionsToTxnRequest: _adding,
    consumer_group_heartbeat.ConsumerGroupHeartbeatRequest: _heartbeat_of_consumer,
    leave_group.LeaveGroupRequest: _leaving,
    update_features.UpdateFeaturesRequest: _updating,
}


def _named() -> Iterator[Message]:
    """All of them, each in a form that some version has."""
    yield produce()
    yield fetch()
    yield offset_at(*[(name, 0, -1) for name in BOTH])
    yield offset_for_leader_epoch.OffsetForLeaderEpochRequest(
        topics=[
            offset_for_leader_epoch.OffsetForLeaderTopic(
                topic=name,
                partitions=[
                    offset_for_leader_epoch.OffsetForLeaderPartition(partition=0, leader_epoch=0)
                ],
            )
            for name in BOTH
        ]
    )
    yield delete_records.DeleteRecordsRequest(
        topics=[
            delete_records.DeleteRecordsTopic(
                name=name,
                partitions=[delete_records.DeleteRecordsPartition(partition_index=0, offset=0)],
            )
            for name in BOTH
        ],
        timeout_ms=5000,
    )
    yield describe_producers.DescribeProducersRequest(
        topics=[describe_producers.TopicRequest(name=name, partition_indexes=[0]) for name in BOTH]
    )
    topic = metadata.MetadataRequestTopic
    names = [*BOTH, "secret-new"]
    for allow in (False, True):
        yield metadata.MetadataRequest(
            topics=[topic(name=name, topic_id=ZERO_UUID) for name in names],
            allow_auto_topic_creation=allow,
            include_topic_authorized_operations=True,
        )
    yield metadata.MetadataRequest(topics=None, include_topic_authorized_operations=True)
    yield describe_topic_partitions.DescribeTopicPartitionsRequest(
        topics=[describe_topic_partitions.TopicRequest(name=name) for name in names]
    )
    yield describe_topic_partitions.DescribeTopicPartitionsRequest(topics=[])
    yield from _about_topics()
    yield from _about_groups()
    yield from _about_transactions()
    yield from _about_settings()
    yield from about_cluster()


def _about_topics() -> Iterator[Message]:
    yield create_topics.CreateTopicsRequest(
        topics=[
            create_topics.CreatableTopic(
                name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]
            )
            for name in ("secret-made", "open-made", "hidden-settings")
        ],
        validate_only=True,
    )
    yield create_partitions.CreatePartitionsRequest(
        topics=[
            create_partitions.CreatePartitionsTopic(name=name, count=2, assignments=None)
            for name in BOTH
        ],
        timeout_ms=5000,
        validate_only=True,
    )


def _about_groups() -> Iterator[Message]:
    for group in (f"{SECRET}-group", f"{OPEN}-group"):
        yield join_group.JoinGroupRequest(
            group_id=group,
            session_timeout_ms=10_000,
            member_id="x",
            protocol_type="consumer",
            protocols=[join_group.JoinGroupRequestProtocol(name="range", metadata=b"")],
        )
        yield sync_group.SyncGroupRequest(
            group_id=group,
            generation_id=1,
            member_id="x",
            protocol_type="consumer",
            protocol_name="range",
        )
        yield heartbeat.HeartbeatRequest(group_id=group, generation_id=1, member_id="x")
        yield leave_group.LeaveGroupRequest(
            group_id=group,
            members=[leave_group.MemberIdentity(member_id="x", group_instance_id=None)],
        )
        yield offset_commit.OffsetCommitRequest(group_id=group)
        yield offset_fetch.OffsetFetchRequest(group_id=group)
        yield offset_delete.OffsetDeleteRequest(
            group_id=group,
            topics=[
                offset_delete.OffsetDeleteRequestTopic(
                    name=name,
                    partitions=[offset_delete.OffsetDeleteRequestPartition(partition_index=0)],
                )
                for name in (SECRET,)
            ],
        )
    for group, names in ((SECRET, [OPEN]), (OPEN, [OPEN, SECRET])):
        yield consumer_group_heartbeat.ConsumerGroupHeartbeatRequest(
            group_id=f"{group}-consumers",
            member_id="",
            member_epoch=0,
            rebalance_timeout_ms=1000,
            subscribed_topic_names=names,
            topic_partitions=[],
        )
    ids = [f"{SECRET}-group", f"{OPEN}-group"]
    yield describe_groups.DescribeGroupsRequest(groups=ids)
    yield consumer_group_describe.ConsumerGroupDescribeRequest(group_ids=ids)
    yield list_groups.ListGroupsRequest()
    yield delete_groups.DeleteGroupsRequest(groups_names=[SECRET, "open-none"])
    for key_type in (0, 1, 2):
        keys = list(BOTH) if key_type < 2 else [f"{SECRET}:AAAAAAAAAAAAAAAAAAAAAQ:0"]
        yield find_coordinator.FindCoordinatorRequest(key_type=key_type, coordinator_keys=keys)


def _about_transactions() -> Iterator[Message]:
    for transaction in (SECRET, OPEN):
        yield init_producer_id.InitProducerIdRequest(
            transactional_id=transaction, transaction_timeout_ms=-1
        )
        yield add_partitions_to_txn.AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=transaction
        )
        for group in BOTH:
            yield add_offsets_to_txn.AddOffsetsToTxnRequest(
                transactional_id=transaction, producer_id=99, producer_epoch=0, group_id=group
            )
            yield txn_offset_commit.TxnOffsetCommitRequest(
                transactional_id=transaction,
                group_id=group,
                producer_id=99,
                producer_epoch=0,
                topics=[
                    txn_offset_commit.TxnOffsetCommitRequestTopic(
                        name=SECRET,
                        partitions=[
                            txn_offset_commit.TxnOffsetCommitRequestPartition(
                                partition_index=0, committed_offset=1, committed_metadata=""
                            )
                        ],
                    )
                ],
            )
        yield end_txn.EndTxnRequest(
            transactional_id=transaction, producer_id=99, producer_epoch=0, committed=True
        )
    yield init_producer_id.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0)
    yield describe_transactions.DescribeTransactionsRequest(transactional_ids=list(BOTH))
    yield list_transactions.ListTransactionsRequest()


def _about_settings() -> Iterator[Message]:
    resources = [(2, SECRET), (2, OPEN), (4, "1"), (4, ""), (16, "x"), (32, SECRET), (32, OPEN)]
    yield describe_configs.DescribeConfigsRequest(
        resources=[
            describe_configs.DescribeConfigsResource(
                resource_type=kind, resource_name=name, configuration_keys=["nothing"]
            )
            for kind, name in resources
        ]
    )
    for kind, name in resources:
        yield alter_configs.AlterConfigsRequest(
            resources=[
                alter_configs.AlterConfigsResource(
                    resource_type=kind, resource_name=name, configs=[]
                )
            ],
            validate_only=True,
        )
        yield incremental_alter_configs.IncrementalAlterConfigsRequest(
            resources=[
                incremental_alter_configs.IncrementalAlterConfigsResource(
                    resource_type=kind, resource_name=name, configs=[]
                )
            ],
            validate_only=True,
        )


def about_cluster() -> Iterator[Message]:
    """What asks for a right to the cluster, and changes nothing where it is granted."""
    yield list_config_resources.ListConfigResourcesRequest()
    yield describe_cluster.DescribeClusterRequest(include_cluster_authorized_operations=True)
    yield describing((1, "nothing", 1, None, None, 1, 1))
    yield creating(but(1, ""), but(1, ""))
    yield deleting((1, "nothing", 1, None, None, 1, 1), (1, "nothing", 1, None, None, 1, 1))
    yield altering(("nosuch", 1))
    yield describe_log_dirs.DescribeLogDirsRequest(
        topics=[describe_log_dirs.DescribableLogDirTopic(topic="nothing", partitions=[0])]
    )
    yield alter_replica_log_dirs.AlterReplicaLogDirsRequest(
        dirs=[
            alter_replica_log_dirs.AlterReplicaLogDir(
                path="/nowhere",
                topics=[alter_replica_log_dirs.AlterReplicaLogDirTopic(name=OPEN, partitions=[0])],
            )
        ]
    )
    yield elect_leaders.ElectLeadersRequest(
        topic_partitions=[elect_leaders.TopicPartitions(topic=OPEN, partitions=[0])],
        timeout_ms=5000,
    )
    yield alter_partition_reassignments.AlterPartitionReassignmentsRequest(
        topics=[
            alter_partition_reassignments.ReassignableTopic(
                name=OPEN,
                partitions=[
                    alter_partition_reassignments.ReassignablePartition(
                        partition_index=0, replicas=None
                    )
                ],
            )
        ]
    )
    yield list_partition_reassignments.ListPartitionReassignmentsRequest(topics=None)
    yield describe_client_quotas.DescribeClientQuotasRequest(components=[], strict=False)
    entity = alter_client_quotas.EntityData(entity_type="user", entity_name="alice")
    yield alter_client_quotas.AlterClientQuotasRequest(
        entries=[alter_client_quotas.EntryData(entity=[entity], ops=[])], validate_only=True
    )
    yield unregister_broker.UnregisterBrokerRequest(broker_id=77)
    yield update_features.UpdateFeaturesRequest(
        feature_updates=[
            update_features.FeatureUpdateKey(feature="nothing", max_version_level=1, upgrade_type=1)
        ],
        validate_only=True,
    )
    yield describe_quorum.DescribeQuorumRequest(
        topics=[
            describe_quorum.TopicData(
                topic_name="nothing",
                partitions=[describe_quorum.PartitionData(partition_index=0)],
            )
        ]
    )
    yield write_txn_markers.WriteTxnMarkersRequest(
        markers=[
            write_txn_markers.WritableTxnMarker(
                producer_id=1,
                producer_epoch=0,
                transaction_result=False,
                topics=[
                    write_txn_markers.WritableTxnMarkerTopic(name="nothing", partition_indexes=[0])
                ],
                coordinator_epoch=0,
            )
        ]
    )


CLOSING: Final[tuple[Row, ...]] = (
    (TOPIC, SECRET, PREFIXED, SOMEBODY, "*", ALL, ALLOW),
    (GROUP, SECRET, PREFIXED, SOMEBODY, "*", ALL, ALLOW),
    (TRANSACTIONAL_ID, SECRET, LITERAL, SOMEBODY, "*", ALL, ALLOW),
    (TOPIC, "hidden-settings", LITERAL, ANONYMOUS, "*", CREATE, ALLOW),
)
"""Afterwards we have no right to what is secret; and none to the settings of one new topic."""
LOOKING: Final[tuple[Row, ...]] = (
    (TOPIC, SECRET, LITERAL, ANONYMOUS, "*", DESCRIBE, ALLOW),
    (GROUP, f"{SECRET}-group", LITERAL, ANONYMOUS, "*", DESCRIBE, ALLOW),
)
"""Afterwards we may look at some of it."""
KEEPING_BROKERS: Final[tuple[Row, ...]] = (
    (CLUSTER, "kafka-cluster", LITERAL, ANONYMOUS, "*", CLUSTER_ACTION, ALLOW),
    (TOPIC, "looked-at", LITERAL, ANONYMOUS, "*", DESCRIBE, ALLOW),
)
"""Afterwards we have no right to the cluster but to be a broker of it: Kafka's own is one."""
