"""Subjects whose requests and answers need more than to be carried."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.admin import (
    AbortSpec,
    AclBinding,
    AclFilter,
    AclOperation,
    AclResourceType,
    DelegationToken,
    Election,
    FeatureUpdate,
    FeatureUpgrade,
    Principal,
    QuotaEntity,
    Replica,
    ReplicaPlace,
    ScramMechanism,
    SetPassword,
    UnsupportedByBrokerError,
    Whose,
)
from ottla.client.errors import RefusedError
from ottla.wire.messages import alter_client_quotas, delete_acls, describe_client_quotas
from ottla.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
)
from ottla.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)
from ottla.wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
)
from ottla.wire.messages.create_acls import (
    AclCreationResult,
    CreateAclsRequest,
    CreateAclsResponse,
)
from ottla.wire.messages.create_delegation_token import (
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)
from ottla.wire.messages.delete_acls import DeleteAclsRequest, DeleteAclsResponse
from ottla.wire.messages.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)
from ottla.wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from ottla.wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.messages.update_features import (
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from ottla.wire.messages.write_txn_markers import (
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from ottla.wire.versions import VersionRange
from tests.support.scripted_cluster import KAFKA_2_1
from tests.unit.client.admin.conftest import MakeCluster

FIRST, SECOND = TopicPartition("orders", 0), TopicPartition("orders", 1)


def code_of(error: object) -> ErrorCode:
    assert isinstance(error, RefusedError)
    return error.code


# -- the cluster -----------------------------------------------------------------------------------


def test_an_old_cluster_tells_of_itself_by_its_metadata(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({})
    cluster.view.controller_id = 2
    told = cluster.run(cluster.admin().cluster.describe())
    assert told.cluster_id == "cluster"
    assert [each.node.node_id for each in told.nodes] == [1, 2, 3]
    assert told.controller == told.nodes[1].node
    with pytest.raises(UnsupportedByBrokerError, match="fenced"):
        cluster.run(cluster.admin().cluster.describe(fenced=True))


@pytest.mark.parametrize("newest", [0, 1, 2])
def test_features_change_in_every_version(make_cluster: MakeCluster, newest: int) -> None:
    def answer(node: int, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse:
        return UpdateFeaturesResponse(
            results=[
                UpdatableFeatureResult(
                    feature=update.feature,
                    error_code=ErrorCode.INVALID_UPDATE_VERSION if update.feature == "bad" else 0,
                )
                for update in request.feature_updates
            ]
        )

    versions = {**KAFKA_2_1, UpdateFeaturesRequest: VersionRange(0, newest)}
    cluster = make_cluster({UpdateFeaturesRequest: answer}, versions=versions)
    down = FeatureUpdate(1, FeatureUpgrade.SAFE_DOWNGRADE)
    done = cluster.run(cluster.admin().cluster.update_features({"down": down, "bad": 9}))
    assert list(done.done) == (["down", "bad"] if newest == 2 else ["down"])
    (request,) = cluster.asked(UpdateFeaturesRequest)
    first, second = request.feature_updates
    assert (first.allow_downgrade, first.upgrade_type) == ((newest == 0), 1 if newest == 0 else 2)
    assert (second.allow_downgrade, second.upgrade_type) == (False, 1)


# -- partitions ------------------------------------------------------------------------------------


def test_elections_tell_who_was_not_to_be_elected(make_cluster: MakeCluster) -> None:
    codes = [
        ErrorCode.NONE,
        ErrorCode.ELECTION_NOT_NEEDED,
        ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
    ]

    def answer(node: int, request: ElectLeadersRequest) -> ElectLeadersResponse:
        results = [
            PartitionResult(partition_id=index, error_code=code) for index, code in enumerate(codes)
        ]
        return ElectLeadersResponse(
            replica_election_results=[
                ReplicaElectionResult(topic="orders", partition_result=results)
            ]
        )

    cluster = make_cluster({ElectLeadersRequest: answer})
    third = TopicPartition("orders", 2)
    for wanted in (None, [FIRST, SECOND, third]):
        told = cluster.run(cluster.admin().partitions.elect_leaders(wanted))
        assert told.done == {FIRST: True, SECOND: False}
        assert code_of(told.errors[third]) is ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE


def test_an_old_broker_has_no_unclean_elections(make_cluster: MakeCluster) -> None:
    versions = {**KAFKA_2_1, ElectLeadersRequest: VersionRange(0, 0)}
    cluster = make_cluster(
        {ElectLeadersRequest: lambda node, request: ElectLeadersResponse()}, versions=versions
    )
    with pytest.raises(UnsupportedByBrokerError, match="election_type"):
        cluster.run(cluster.admin().partitions.elect_leaders([FIRST], election=Election.UNCLEAN))


# -- transactions ----------------------------------------------------------------------------------


def test_each_id_is_fenced_and_a_transaction_that_ends_is_waited_for(
    make_cluster: MakeCluster,
) -> None:
    busy = [ErrorCode.CONCURRENT_TRANSACTIONS]

    def answer(node: int, request: InitProducerIdRequest) -> InitProducerIdResponse:
        if request.transactional_id == "busy" and busy:
            return InitProducerIdResponse(error_code=busy.pop(), producer_epoch=-1)
        if request.transactional_id == "denied":
            code = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            return InitProducerIdResponse(error_code=code, producer_epoch=-1)
        return InitProducerIdResponse(producer_id=7, producer_epoch=3)

    cluster = make_cluster({InitProducerIdRequest: answer})
    cluster.view.coordinators = {"busy": 2, "denied": 2, "free": 3}
    told = cluster.run(cluster.admin().transactions.fence("busy", "denied", "free"))
    assert told["busy"].producer_epoch == 3
    assert sorted(told.done) == ["busy", "free"]
    assert code_of(told.errors["denied"]) is ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    ids = [request.transactional_id for request in cluster.asked(InitProducerIdRequest)]
    assert sorted(ids) == ["busy", "busy", "denied", "free"]


def test_a_marker_goes_to_the_leader_and_again_to_the_next(make_cluster: MakeCluster) -> None:
    def answer(node: int, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse:
        (marker,) = request.markers
        assert not marker.transaction_result
        assert (marker.producer_id, marker.producer_epoch, marker.coordinator_epoch) == (7, 2, 4)
        cluster.create("orders", (3, 1), topic_id=bytes(15) + b"1")
        code = ErrorCode.NONE if node == 3 else ErrorCode.NOT_LEADER_OR_FOLLOWER
        partition = WritableTxnMarkerPartitionResult(partition_index=0, error_code=code)
        topic = WritableTxnMarkerTopicResult(name="orders", partitions=[partition])
        return WriteTxnMarkersResponse(
            markers=[WritableTxnMarkerResult(producer_id=7, topics=[topic])]
        )

    cluster = make_cluster({WriteTxnMarkersRequest: answer})
    cluster.create("orders", (2, 0), topic_id=bytes(15) + b"1")
    spec = AbortSpec(partition=FIRST, producer_id=7, producer_epoch=2, coordinator_epoch=4)
    assert not cluster.run(cluster.admin().transactions.abort(spec)).errors
    assert cluster.nodes_asked(WriteTxnMarkersRequest) == [2, 3]


def test_a_marker_that_was_answered_is_not_sent_again_for_another_one(
    make_cluster: MakeCluster,
) -> None:
    breaks = [True]

    def answer(node: int, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse | None:
        (marker,) = request.markers
        (index,) = marker.topics[0].partition_indexes
        if index == 1 and breaks and breaks.pop():
            return None
        partition = WritableTxnMarkerPartitionResult(partition_index=index, error_code=0)
        topic = WritableTxnMarkerTopicResult(name="orders", partitions=[partition])
        return WriteTxnMarkersResponse(
            markers=[WritableTxnMarkerResult(producer_id=7, topics=[topic])]
        )

    cluster = make_cluster({WriteTxnMarkersRequest: answer})
    cluster.create("orders", (2, 0), (2, 0), topic_id=bytes(15) + b"1")
    specs = [
        AbortSpec(partition=partition, producer_id=7, producer_epoch=2, coordinator_epoch=4)
        for partition in (FIRST, SECOND)
    ]
    assert not cluster.run(cluster.admin().transactions.abort(*specs)).errors
    asked = [request.markers[0].topics[0] for request in cluster.asked(WriteTxnMarkersRequest)]
    assert sorted(each.partition_indexes[0] for each in asked) == [0, 1, 1]


# -- directories -----------------------------------------------------------------------------------


def directories(node: int, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse:
    def holding(*, is_future: bool, lag: int) -> list[DescribeLogDirsTopic]:
        partition = DescribeLogDirsPartition(
            partition_index=0, partition_size=9, offset_lag=lag, is_future_key=is_future
        )
        return [DescribeLogDirsTopic(name="orders", partitions=[partition])]

    return DescribeLogDirsResponse(
        results=[
            DescribeLogDirsResult(log_dir=f"/{node}/old", topics=holding(is_future=False, lag=0)),
            DescribeLogDirsResult(log_dir=f"/{node}/new", topics=holding(is_future=True, lag=5)),
            DescribeLogDirsResult(log_dir="/bad", error_code=ErrorCode.KAFKA_STORAGE_ERROR),
        ]
    )


def test_a_replica_that_moves_is_found_in_both_directories(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({DescribeLogDirsRequest: directories})
    replicas = [Replica(2, FIRST), Replica(3, SECOND)]
    told = cluster.run(cluster.admin().log_dirs.find(*replicas))
    assert told[replicas[0]] == ReplicaPlace(
        path="/2/old", lag=0, future_path="/2/new", future_lag=5
    )
    assert told[replicas[1]] == ReplicaPlace(path=None, lag=None)
    all_of_one = cluster.run(cluster.admin().log_dirs.describe([1]))[1]
    assert code_of(all_of_one["/bad"].error) is ErrorCode.KAFKA_STORAGE_ERROR


def test_an_old_broker_that_tells_nothing_refuses(make_cluster: MakeCluster) -> None:
    versions = {**KAFKA_2_1, DescribeLogDirsRequest: VersionRange(1, 2)}
    cluster = make_cluster(
        {DescribeLogDirsRequest: lambda node, request: DescribeLogDirsResponse()},
        versions=versions,
    )
    told = cluster.run(cluster.admin().log_dirs.describe([1]))
    assert code_of(told.errors[1]) is ErrorCode.CLUSTER_AUTHORIZATION_FAILED


def test_each_broker_moves_its_own_replicas(make_cluster: MakeCluster) -> None:
    def answer(node: int, request: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse:
        return AlterReplicaLogDirsResponse(
            results=[
                AlterReplicaLogDirTopicResult(
                    topic_name=topic.name,
                    partitions=[
                        AlterReplicaLogDirPartitionResult(
                            partition_index=index,
                            error_code=ErrorCode.LOG_DIR_NOT_FOUND if each.path == "/no" else 0,
                        )
                        for index in topic.partitions
                    ],
                )
                for each in request.dirs
                for topic in each.topics
            ]
        )

    cluster = make_cluster({AlterReplicaLogDirsRequest: answer})
    wanted = {Replica(2, FIRST): "/a", Replica(2, SECOND): "/no", Replica(3, FIRST): "/b"}
    told = cluster.run(cluster.admin().log_dirs.move(wanted))
    assert list(told.done) == [Replica(2, FIRST), Replica(3, FIRST)]
    assert code_of(told.errors[Replica(2, SECOND)]) is ErrorCode.LOG_DIR_NOT_FOUND
    assert cluster.nodes_asked(AlterReplicaLogDirsRequest) == [2, 3]


def test_a_broker_that_is_not_in_the_cluster_is_given_up_after_a_while(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster({DescribeLogDirsRequest: directories})
    told = cluster.run(cluster.admin().log_dirs.describe([1, 9]))
    assert list(told.done) == [1]
    assert code_of(told.errors[9]) is ErrorCode.BROKER_NOT_AVAILABLE
    assert 5_000 <= cluster.loop.clock.elapsed_ms < 7_000


# -- security and quotas ---------------------------------------------------------------------------


def test_a_password_is_salted_as_the_standard_says(make_cluster: MakeCluster) -> None:
    """The exchange of RFC 7677, whose proof only the right salted password makes."""

    def answer(
        node: int, request: AlterUserScramCredentialsRequest
    ) -> AlterUserScramCredentialsResponse:
        return AlterUserScramCredentialsResponse(
            results=[AlterUserScramCredentialsResult(user="user")]
        )

    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    exchange = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s={salt},i=4096,c=biws,r={nonce}".encode()
    cluster = make_cluster({AlterUserScramCredentialsRequest: answer})
    password = SetPassword(
        user="user",
        password="pencil",
        mechanism=ScramMechanism.SCRAM_SHA_256,
        salt=base64.b64decode(salt),
    )
    assert not cluster.run(cluster.admin().credentials.alter(password)).errors
    (request,) = cluster.asked(AlterUserScramCredentialsRequest)
    (sent,) = request.upsertions
    client_key = hmac.digest(sent.salted_password, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), exchange, "sha256")
    proof = bytes(left ^ right for left, right in zip(client_key, signature, strict=True))
    assert base64.b64encode(proof) == b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="


READS = AclBinding(AclResourceType.TOPIC, "orders", "User:alice", AclOperation.READ)
WRITES = READS._replace(operation=AclOperation.WRITE)


def test_answers_about_acls_are_told_by_their_places(make_cluster: MakeCluster) -> None:
    def created(node: int, request: CreateAclsRequest) -> CreateAclsResponse:
        codes = [0, ErrorCode.INVALID_REQUEST]
        return CreateAclsResponse(results=[AclCreationResult(error_code=code) for code in codes])

    def deleted(node: int, request: DeleteAclsRequest) -> DeleteAclsResponse:
        def matching(error_code: int) -> delete_acls.DeleteAclsMatchingAcl:
            return delete_acls.DeleteAclsMatchingAcl(
                error_code=error_code,
                resource_type=2,
                resource_name="orders",
                principal="User:alice",
                host="*",
                operation=3,
                permission_type=3,
            )

        return DeleteAclsResponse(
            filter_results=[
                delete_acls.DeleteAclsFilterResult(matching_acls=[matching(0)]),
                delete_acls.DeleteAclsFilterResult(
                    matching_acls=[matching(0), matching(ErrorCode.UNKNOWN_SERVER_ERROR)]
                ),
            ]
        )

    cluster = make_cluster({CreateAclsRequest: created, DeleteAclsRequest: deleted})
    made = cluster.run(cluster.admin().acls.create(READS, WRITES))
    assert (list(made.done), list(made.errors)) == ([READS], [WRITES])
    one, other = AclFilter(resource_name="orders"), AclFilter(principal="User:alice")
    gone = cluster.run(cluster.admin().acls.delete(one, other))
    assert gone.done == {one: (READS,)}
    assert code_of(gone.errors[other]) is ErrorCode.UNKNOWN_SERVER_ERROR


def test_a_token_is_not_printed_with_its_secret(make_cluster: MakeCluster) -> None:
    def answer(node: int, request: CreateDelegationTokenRequest) -> CreateDelegationTokenResponse:
        assert (request.owner_principal_type, request.owner_principal_name) == ("User", "alice")
        return CreateDelegationTokenResponse(
            principal_type="User",
            principal_name="alice",
            token_requester_principal_type="User",
            token_requester_principal_name="admin",
            issue_timestamp=1,
            expiry_timestamp=2,
            max_timestamp=3,
            token_id="id",
            hmac=b"secret",
        )

    cluster = make_cluster({CreateDelegationTokenRequest: answer})
    owner = Principal("User", "alice")
    token = cluster.run(
        cluster.admin().tokens.create(owner=owner, renewers=[Principal("User", "bob")])
    )
    assert token == DelegationToken(
        token_id="id",
        hmac=b"secret",
        owner=owner,
        requester=Principal("User", "admin"),
        issued_at_ms=1,
        expires_at_ms=2,
        expires_at_latest_ms=3,
        renewers=(Principal("User", "bob"),),
    )
    assert "secret" not in repr(token)
    assert "secret" not in str(token)


def test_quotas_are_told_and_set_by_entity(make_cluster: MakeCluster) -> None:
    entity = QuotaEntity(user="alice", client_id=Whose.DEFAULT)

    def described(node: int, request: DescribeClientQuotasRequest) -> DescribeClientQuotasResponse:
        asked = [(each.entity_type, each.match_type, each.match) for each in request.components]
        assert asked == [("user", 0, "alice"), ("client-id", 1, None), ("ip", 2, None)]
        parts = [
            describe_client_quotas.EntityData(entity_type="user", entity_name="alice"),
            describe_client_quotas.EntityData(entity_type="client-id", entity_name=None),
        ]
        values = [describe_client_quotas.ValueData(key="rate", value=5.0)]
        return DescribeClientQuotasResponse(
            entries=[describe_client_quotas.EntryData(entity=parts, values=values)]
        )

    def altered(node: int, request: AlterClientQuotasRequest) -> AlterClientQuotasResponse:
        (entry,) = request.entries
        assert [(op.key, op.value, op.remove) for op in entry.ops] == [
            ("rate", 5.0, False),
            ("gone", 0.0, True),
        ]
        parts = [
            alter_client_quotas.EntityOfResult(
                entity_type=part.entity_type, entity_name=part.entity_name
            )
            for part in entry.entity
        ]
        return AlterClientQuotasResponse(entries=[alter_client_quotas.EntryResult(entity=parts)])

    cluster = make_cluster(
        {DescribeClientQuotasRequest: described, AlterClientQuotasRequest: altered}
    )
    admin = cluster.admin()
    found = cluster.run(admin.quotas.describe(user="alice", client_id=Whose.DEFAULT, ip=Whose.ANY))
    assert found == {entity: {"rate": 5.0}}
    changed = cluster.run(admin.quotas.alter({entity: {"rate": 5.0, "gone": None}}))
    assert list(changed.all()) == [entity]
