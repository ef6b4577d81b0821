"""ACLs, passwords and tokens are kept, and ACLs count from the next request on."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.broker import authorizer as authorizing
from ottla.broker import delegation_tokens
from ottla.broker.apis import create_delegation_token as creating_tokens
from ottla.security.tokens import Principal
from ottla.wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResponse,
)
from ottla.wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    ScramCredentialUpsertion,
)
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from ottla.wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from ottla.wire.messages.create_delegation_token import (
    CreatableRenewers,
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)
from ottla.wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest, DeleteAclsResponse
from ottla.wire.messages.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from ottla.wire.messages.describe_delegation_token import (
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from ottla.wire.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
)
from ottla.wire.messages.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
)
from ottla.wire.messages.expire_delegation_token import (
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
)
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.find_coordinator import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from ottla.wire.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
    IncrementalAlterConfigsResponse,
)
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
)
from ottla.wire.messages.produce import ProduceResponse
from ottla.wire.messages.renew_delegation_token import (
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)
from tests.support.data_requests import BY_NAME, fetch, partition_at, produce, produced
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect, StartBroker

AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
DENIED = ErrorCode.TOPIC_AUTHORIZATION_FAILED
TOPIC, GROUP, CLUSTER = 2, 3, 4
ALL, READ, WRITE, DELETE, ALTER, DESCRIBE = 2, 3, 4, 6, 7, 8
LITERAL, PREFIXED = 3, 4
ANONYMOUS, ALICE = "User:ANONYMOUS", "User:alice"


@pytest.fixture
def guarded(start_broker: StartBroker) -> MemoryBroker:
    """What no ACL is about is for everybody."""
    return start_broker(
        authorizer_class_name=AUTHORIZER,
        allow_everyone_if_no_acl_found="true",
        delegation_token_secret_key="key",
    )


def entry(
    name: str,
    operation: int = ALL,
    *,
    principal: str = ALICE,
    kind: int = TOPIC,
    pattern: int = LITERAL,
    host: str = "*",
) -> AclCreation:
    return AclCreation(
        resource_type=kind,
        resource_name=name,
        resource_pattern_type=pattern,
        principal=principal,
        host=host,
        operation=operation,
        permission_type=3,
    )


def allow(client: Client, *entries: AclCreation) -> list[int]:
    response = client.ask(CreateAclsRequest(creations=list(entries)), CreateAclsResponse)
    return [result.error_code for result in response.results]


def kept(client: Client) -> list[str]:
    everything = DescribeAclsRequest(
        resource_type_filter=1, pattern_type_filter=1, operation=1, permission_type=1
    )
    response = client.ask(everything, DescribeAclsResponse)
    assert not response.error_code, response
    return [resource.resource_name for resource in response.resources]


def forget(client: Client, name: str) -> None:
    one = DeleteAclsFilter(
        resource_type_filter=1, resource_name_filter=name, operation=1, permission_type=1
    )
    client.ask(DeleteAclsRequest(filters=[one]), DeleteAclsResponse)


# -- what is kept ----------------------------------------------------------------------------------


def test_without_an_authorizer_nothing_is_kept(client: Client) -> None:
    assert allow(client, entry("a"), entry("b")) == [ErrorCode.SECURITY_DISABLED] * 2
    everything = DescribeAclsRequest(resource_type_filter=1, operation=1, permission_type=1)
    told = client.ask(everything, DescribeAclsResponse)
    assert told.error_code == ErrorCode.SECURITY_DISABLED
    one = DeleteAclsFilter(resource_type_filter=1, operation=1, permission_type=1)
    gone = client.ask(DeleteAclsRequest(filters=[one]), DeleteAclsResponse)
    assert [each.error_code for each in gone.filter_results] == [ErrorCode.SECURITY_DISABLED]


def test_acls_and_passwords_survive_a_stop_a_kill_and_a_snapshot(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(
        authorizer_class_name=AUTHORIZER,
        super_users=ANONYMOUS,
        metadata_log_max_record_bytes_between_snapshots="1",
    )
    client = connect(broker)
    assert allow(client, entry("a"), entry("b")) == [0, 0]
    password = ScramCredentialUpsertion(
        name="alice", mechanism=1, iterations=4096, salt=b"s", salted_password=b"p"
    )
    set_it = AlterUserScramCredentialsRequest(deletions=[], upsertions=[password])
    client.ask(set_it, AlterUserScramCredentialsResponse)
    broker.loop.advance(2000)
    assert broker.loop.finish(broker.quorum.latest_snapshot()) is not None
    for end in (broker.stop, broker.stop_uncleanly):
        end()
        broker.start()
        client = connect(broker)
        assert kept(client) == ["a", "b"]
        told = client.ask(
            DescribeUserScramCredentialsRequest(), DescribeUserScramCredentialsResponse
        )
        assert [each.user for each in told.results] == ["alice"]


def test_a_client_that_says_unknown_is_not_understood(client: Client) -> None:
    client.send(DescribeAclsRequest(resource_type_filter=0, operation=1, permission_type=1))
    assert client.is_closed


# -- what counts -----------------------------------------------------------------------------------


def test_acls_count_from_the_next_request_of_the_same_connection_on(
    guarded: MemoryBroker, connect: Connect
) -> None:
    guarded.create_topic("orders")
    client = connect(guarded)

    def write() -> int:
        request = produce(("orders", 0, batch_of(b"a")))
        (answer,) = produced(client.ask(request, ProduceResponse, version=BY_NAME))
        return answer.error_code

    assert write() == ErrorCode.NONE
    allow(client, entry("orders"))
    assert write() == DENIED
    allow(client, entry("orders", WRITE, principal=ANONYMOUS, host="192.0.2.8"))
    assert write() == DENIED
    allow(client, entry("orders", WRITE, principal=ANONYMOUS, host="192.0.2.7"))
    assert write() == ErrorCode.NONE
    forget(client, "orders")
    assert write() == ErrorCode.NONE


def test_answers_that_are_remembered_are_bounded(
    guarded: MemoryBroker, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorizing, "ACCESS_ANSWERS_KEPT_MAX", 10)
    clients = [connect(guarded), connect(guarded)]
    clients[1].connection.peer_address = ("192.0.2.8", 50_000)
    allow(clients[0], entry("secret", pattern=PREFIXED))
    names = [f"{'secret' if number % 2 else 'open'}-{number}" for number in range(50)]
    for name in names:
        for client in clients:
            asked = [MetadataRequestTopic(name=name, topic_id=bytes(16))]
            request = MetadataRequest(topics=asked, allow_auto_topic_creation=False)
            (topic,) = client.ask(request, MetadataResponse).topics
            assert (topic.error_code == DENIED) is name.startswith("secret")
    authorizer = guarded.broker.authorizer
    assert authorizer is not None
    kept = sum(len(authorizer.access_of(client.connection)._known) for client in clients)
    assert kept <= 10


def test_names_of_any_length_are_decided_about_but_long_ones_are_not_remembered(
    guarded: MemoryBroker, connect: Connect
) -> None:
    client = connect(guarded)
    allow(client, entry("x" * 30_000, kind=GROUP))
    authorizer = guarded.broker.authorizer
    assert authorizer is not None
    for _ in range(2):
        asked = FindCoordinatorRequest(coordinator_keys=["x" * 30_000, "short"])
        found = client.ask(asked, FindCoordinatorResponse).coordinators
        errors = {each.key[:5]: each.error_code for each in found}
        assert errors["xxxxx"] == ErrorCode.GROUP_AUTHORIZATION_FAILED
        assert errors["short"] != ErrorCode.GROUP_AUTHORIZATION_FAILED
    names = [name for _, _, name in authorizer.access_of(client.connection)._known]
    assert "short" in names
    assert max(map(len, names)) < 1_000


def test_whoever_may_create_nothing_creates_nothing_by_naming_an_id_as_well(
    guarded: MemoryBroker, connect: Connect
) -> None:
    client = connect(guarded)
    allow(client, entry("*"), entry("kafka-cluster", ALTER, principal=ANONYMOUS, kind=CLUSTER))
    for topic_id in (bytes(16), b"no topic has it!"):
        asked = MetadataRequestTopic(name="mine", topic_id=topic_id)
        request = MetadataRequest(topics=[asked], allow_auto_topic_creation=True)
        (topic,) = client.ask(request, MetadataResponse).topics
        assert topic.error_code == (ErrorCode.UNKNOWN_TOPIC_ID if any(topic_id) else DENIED)
        assert "mine" not in guarded.broker.metadata.image.topics_by_name


@pytest.mark.parametrize("version", [10, 11])
def test_versions_that_do_not_know_ids_refuse_by_name(
    guarded: MemoryBroker, connect: Connect, version: int
) -> None:
    topic_id = guarded.create_topic("secret")
    client = connect(guarded)
    allow(client, entry("secret"))
    asked = MetadataRequestTopic(name="secret", topic_id=topic_id)
    request = MetadataRequest(topics=[asked])
    (topic,) = client.ask(request, MetadataResponse, version=version).topics
    assert (topic.name, topic.topic_id, topic.error_code) == ("secret", bytes(16), DENIED)


@pytest.mark.parametrize("by_id", [False, True])
def test_whoever_may_not_look_at_a_topic_may_not_delete_it(
    guarded: MemoryBroker, connect: Connect, *, by_id: bool
) -> None:
    topic_id = guarded.create_topic("orders")
    client = connect(guarded)
    deny = entry("orders", DESCRIBE, principal=ANONYMOUS)
    deny.permission_type = 2
    may_delete = entry("orders", DELETE, principal=ANONYMOUS)
    allow(client, entry("kafka-cluster", ALTER, principal=ANONYMOUS, kind=CLUSTER))
    allow(client, may_delete, deny)
    doomed = DeleteTopicState(name=None, topic_id=topic_id)
    if not by_id:
        doomed = DeleteTopicState(name="orders", topic_id=bytes(16))
    request = DeleteTopicsRequest(topics=[doomed], timeout_ms=1000)
    (result,) = client.ask(request, DeleteTopicsResponse).responses
    assert (result.name, result.error_code) == (doomed.name, DENIED)
    assert "orders" in guarded.broker.metadata.image.topics_by_name


def test_of_a_produce_only_what_is_denied_is_left_out(
    guarded: MemoryBroker, connect: Connect
) -> None:
    for name in ("open", "secret"):
        guarded.create_topic(name)
    client = connect(guarded)
    allow(client, entry("secret"))
    request = produce(("secret", 0, batch_of(b"a")), ("open", 0, batch_of(b"b")))
    answer = client.ask(request, ProduceResponse, version=BY_NAME)
    assert {each.name: each.partition_responses[0].error_code for each in answer.responses} == {
        "secret": DENIED,
        "open": ErrorCode.NONE,
    }
    assert guarded.partition("open").log.log_end_offset == 1
    assert guarded.partition("secret").log.log_end_offset == 0


def test_a_fetch_that_waits_for_a_topic_is_told_at_once_that_it_may_not(
    guarded: MemoryBroker, connect: Connect
) -> None:
    guarded.create_topic("secret")
    client = connect(guarded)
    allow(client, entry("secret", DESCRIBE, principal=ANONYMOUS))
    request = fetch(("secret", partition_at(0, 0)), max_wait_ms=60_000)
    answer = client.ask(request, FetchResponse, version=BY_NAME)
    assert answer.responses[0].partitions[0].error_code == DENIED


def test_hidden_topics_are_in_no_list_and_behind_no_cursor(
    guarded: MemoryBroker, connect: Connect
) -> None:
    for name in ("a", "secret-1", "z"):
        guarded.create_topic(name)
    client = connect(guarded)
    allow(client, entry("secret", pattern=PREFIXED))
    told = client.ask(MetadataRequest(topics=None), MetadataResponse)
    assert {topic.name for topic in told.topics} == {"a", "z"}
    paged = DescribeTopicPartitionsRequest(topics=[], response_partition_limit=1)
    first = client.ask(paged, DescribeTopicPartitionsResponse)
    assert [topic.name for topic in first.topics] == ["a"]
    assert first.next_cursor == Cursor(topic_name="z", partition_index=0)


def test_the_same_question_is_answered_anew_when_acls_have_changed(
    guarded: MemoryBroker, connect: Connect
) -> None:
    guarded.create_topic("orders")
    client = connect(guarded)
    asked = MetadataRequest(topics=None)
    assert len(client.ask(asked, MetadataResponse).topics) == 1
    allow(client, entry("orders"))
    assert client.ask(asked, MetadataResponse).topics == []


def test_two_hosts_that_ask_the_same_are_answered_each_by_its_own_rights(
    guarded: MemoryBroker, connect: Connect
) -> None:
    guarded.create_topic("orders")
    client, other = connect(guarded), connect(guarded)
    other.connection.peer_address = ("192.0.2.8", 50_000)
    allow(client, entry("orders", DESCRIBE, principal=ANONYMOUS, host="192.0.2.7"))
    asked = MetadataRequest(topics=None)
    assert len(client.ask(asked, MetadataResponse).topics) == 1
    assert other.ask(asked, MetadataResponse).topics == []


@pytest.mark.parametrize(
    ("resource_type", "name", "kind", "error"),
    [
        (2, "orders", TOPIC, DENIED),
        (32, "orders", GROUP, ErrorCode.GROUP_AUTHORIZATION_FAILED),
        (4, "1", CLUSTER, ErrorCode.CLUSTER_AUTHORIZATION_FAILED),
        (8, "1", CLUSTER, ErrorCode.CLUSTER_AUTHORIZATION_FAILED),
        (16, "orders", CLUSTER, ErrorCode.CLUSTER_AUTHORIZATION_FAILED),
    ],
)
def test_settings_belong_to_the_topic_the_group_or_the_cluster(
    guarded: MemoryBroker,
    connect: Connect,
    resource_type: int,
    name: str,
    kind: int,
    error: ErrorCode,
) -> None:
    guarded.create_topic("orders")
    client = connect(guarded)
    allow(client, entry("kafka-cluster" if kind == CLUSTER else name, kind=kind))
    described = DescribeConfigsResource(
        resource_type=resource_type, resource_name=name, configuration_keys=None
    )
    told = client.ask(DescribeConfigsRequest(resources=[described]), DescribeConfigsResponse)
    altered = IncrementalAlterConfigsResource(
        resource_type=resource_type, resource_name=name, configs=[]
    )
    changed = client.ask(
        IncrementalAlterConfigsRequest(resources=[altered]), IncrementalAlterConfigsResponse
    )
    replaced = client.ask(
        AlterConfigsRequest(
            resources=[
                AlterConfigsResource(resource_type=resource_type, resource_name=name, configs=[])
            ]
        ),
        AlterConfigsResponse,
    )
    errors = [each.error_code for each in told.results]
    errors += [each.error_code for each in changed.responses]
    errors += [each.error_code for each in replaced.responses]
    assert errors == [error] * 3


def test_an_expression_stands_for_topics_that_its_members_may_know_of(
    guarded: MemoryBroker, connect: Connect
) -> None:
    ids = {name: guarded.create_topic(name) for name in ("shop-a", "shop-secret")}
    client = connect(guarded)
    allow(client, entry("shop-secret"))
    client.send(FindCoordinatorRequest(coordinator_keys=["g"]))  # makes the topic of groups
    guarded.loop.advance(1000)
    client.answers()

    def reads(member_id: str, epoch: int) -> tuple[set[bytes], int]:
        beat = ConsumerGroupHeartbeatRequest(
            group_id="g",
            member_id=member_id,
            member_epoch=epoch,
            rebalance_timeout_ms=1000,
            subscribed_topic_regex="shop-.*",
            topic_partitions=[],
        )
        client.send(beat)
        guarded.loop.advance(100)
        (answer,) = client.answers()
        assert isinstance(answer, ConsumerGroupHeartbeatResponse)
        assert not answer.error_code, answer
        given = answer.assignment.topic_partitions if answer.assignment else []
        return {each.topic_id for each in given}, answer.member_epoch

    found, epoch = reads("m", 0)
    assert found == {ids["shop-a"]}
    forget(client, "shop-secret")
    found, _ = reads("m", epoch)
    assert found == set(ids.values())


# -- tokens ----------------------------------------------------------------------------------------


def test_a_client_that_nobody_knows_gets_no_token(guarded: MemoryBroker, connect: Connect) -> None:
    client = connect(guarded)
    refused = client.ask(
        CreateDelegationTokenRequest(renewers=[], max_lifetime_ms=-1), CreateDelegationTokenResponse
    )
    assert refused.error_code == ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    assert (refused.principal_type, refused.principal_name) == ("User", "ANONYMOUS")


def test_a_client_that_is_known_makes_renews_finds_and_ends_its_token(
    guarded: MemoryBroker, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No listener knows anybody yet: what the handlers do for one who is known."""
    alice = Principal("User", "alice")
    for module in (delegation_tokens, creating_tokens):
        monkeypatch.setattr(module, "principal_of", lambda _: alice)
    client = connect(guarded)
    renewer = CreatableRenewers(principal_type="User", principal_name="bob")
    made = client.ask(
        CreateDelegationTokenRequest(renewers=[renewer], max_lifetime_ms=1000),
        CreateDelegationTokenResponse,
    )
    assert not made.error_code
    assert made.max_timestamp == made.issue_timestamp + 1000
    told = client.ask(DescribeDelegationTokenRequest(), DescribeDelegationTokenResponse)
    (token,) = told.tokens
    assert (token.token_id, token.hmac, token.renewers[0].principal_name) == (
        made.token_id,
        made.hmac,
        "bob",
    )
    renewing = RenewDelegationTokenRequest(hmac=made.hmac, renew_period_ms=10)
    renewed = client.ask(renewing, RenewDelegationTokenResponse)
    assert renewed.expiry_timestamp == guarded.clock.now_ms() + 10
    ending = ExpireDelegationTokenRequest(hmac=made.hmac, expiry_time_period_ms=-1)
    assert not client.ask(ending, ExpireDelegationTokenResponse).error_code
    told = client.ask(DescribeDelegationTokenRequest(), DescribeDelegationTokenResponse)
    assert told.tokens == []


def test_tokens_that_are_over_are_swept_up(
    guarded: MemoryBroker, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegation_tokens, "principal_of", lambda _: Principal("User", "alice"))
    client = connect(guarded)
    client.ask(
        CreateDelegationTokenRequest(renewers=[], max_lifetime_ms=1000),
        CreateDelegationTokenResponse,
    )
    assert [key[0] for key in guarded.broker.metadata.image.kept] == ["token"]
    guarded.loop.advance(2 * 3_600_000)
    assert not guarded.broker.metadata.image.kept


def test_without_a_key_there_are_no_tokens(
    broker: MemoryBroker, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegation_tokens, "principal_of", lambda _: Principal("User", "alice"))
    refused = client.ask(
        CreateDelegationTokenRequest(renewers=[], max_lifetime_ms=-1), CreateDelegationTokenResponse
    )
    assert refused.error_code == ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED
