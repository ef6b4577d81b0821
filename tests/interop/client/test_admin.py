"""Our administration against our broker, Apache Kafka, and confluent-kafka's answers."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from confluent_kafka import Consumer as ConfluentConsumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not in its __all__
    ConfigResource as ConfluentResource,
)

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.client.admin import (
    ALL_RECORDS,
    AbortSpec,
    AclBinding,
    AclFilter,
    AclOperation,
    AclResourceType,
    Admin,
    Append,
    ByDuration,
    ConfigResource,
    ConfigSource,
    ConfigType,
    Election,
    FeatureUpdate,
    FeatureUpgrade,
    GroupState,
    GroupType,
    ListedOffset,
    MemberToRemove,
    NewTopic,
    OffsetSpec,
    Principal,
    QuotaEntity,
    RemovePassword,
    Replica,
    ResourceType,
    ScramMechanism,
    SetPassword,
    ShiftBy,
    Subscription,
    Subtract,
    ToEarliest,
    ToTime,
    TransactionState,
    UnsupportedByBrokerError,
    Whose,
)
from ottla.client.admin.config_changes import Change
from ottla.client.errors import RefusedError
from ottla.client.offset_and_metadata import OffsetAndMetadata
from ottla.client.producer import Producer
from ottla.wire.messages import (
    alter_partition_reassignments,
    create_delegation_token,
    describe_quorum,
    elect_leaders,
    incremental_alter_configs,
    list_config_resources,
    unregister_broker,
    update_features,
)
from ottla.wire.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from tests.conftest import BrokerFactory
from tests.support.broker_process import BrokerProcess
from tests.support.java import needs_java, why_no_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

T = TypeVar("T")

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "admin.md"
PROGRAM = re.compile(r"```python\n# (?P<name>\w+\.py)\n(?P<text>.*?)```", re.DOTALL)
QUICK = {"retry_backoff_max_ms": 200, "reconnect_backoff_max_ms": 200}
MEMBER_SECONDS_MAX = 30.0
SOON_SECONDS_MAX = 20.0
ANSWER_SECONDS_MAX = 20.0


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    """Apache Kafka with two data directories, an authorizer and delegation tokens."""
    if why_no_java() is not None:
        pytest.skip(str(why_no_java()))
    folder = tmp_path_factory.mktemp("kafka")
    data, other = folder / "data", folder / "other"
    settings = f"""log.dirs={data},{other}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
delegation.token.secret.key=a secret of this test
"""
    with KafkaProcess(folder, data, settings=settings) as running:
        yield running


@pytest.fixture(params=["ottla", pytest.param("kafka", marks=needs_java)])
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Each test runs against both."""
    name = {"ottla": "shared_broker", "kafka": "kafka"}[request.param]
    broker: BrokerProcess | KafkaProcess = request.getfixturevalue(name)
    return broker.bootstrap


@pytest.fixture(params=["ottla", pytest.param("kafka", marks=needs_java)])
def guarded(request: pytest.FixtureRequest) -> str:
    """The same, of brokers with an authorizer that lets us do everything."""
    if request.param == "kafka":
        running: KafkaProcess = request.getfixturevalue("kafka")
        return running.bootstrap
    start: BrokerFactory = request.getfixturevalue("start_broker")
    authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    return start(
        "--set",
        f"authorizer.class.name={authorizer}",
        "--set",
        "super.users=User:ANONYMOUS",
    ).bootstrap


_numbers = iter(range(1_000_000))


@pytest.fixture
def name() -> str:
    """Of a topic, group or whatever, that no other test has."""
    return f"admin-{next(_numbers)}"


def run(bootstrap: str, work: Callable[[Admin], Awaitable[T]], *, needs: tuple[Any, ...] = ()) -> T:
    """Do it; skip where our broker does not offer what it `needs`."""

    async def main() -> T:
        async with Admin(bootstrap, **QUICK) as admin:
            await admin.connect()
            node = await admin._asking.cluster.any_node()
            for module in needs:
                kind = next(
                    getattr(module, each) for each in dir(module) if each.endswith("Request")
                )
                if not node.speaks(kind):
                    pytest.skip(f"{kind.__name__} is not offered")
            return await work(admin)

    return asyncio.run(main())


def code_of(error: UserError | None) -> ErrorCode:
    assert isinstance(error, RefusedError), error
    return error.code


async def soon(holds: Callable[[], Awaitable[bool]]) -> None:
    """A broker of Kafka's learns of a change a little after its controller has answered."""
    deadline = time.monotonic() + SOON_SECONDS_MAX
    while not await holds():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0.05)


async def produce(bootstrap: str, topic: str, count: int, partition: int = 0) -> None:
    async with Producer(bootstrap) as producer:
        for number in range(count):
            await producer.put(
                topic, b"%d" % number, partition=partition, timestamp_ms=1000 + number
            )


# -- topics ----------------------------------------------------------------------------------------


def test_topics_come_are_told_and_go(bootstrap: str, name: str) -> None:
    other = f"{name}-other"

    async def work(admin: Admin) -> None:
        wanted = NewTopic(name=name, partitions=3, configs={"retention.ms": "5000"})
        checked = await admin.topics.create(wanted, "a/b", validate_only=True)
        assert list(checked.done) == [name]
        assert code_of(checked.errors["a/b"]) is ErrorCode.INVALID_TOPIC_EXCEPTION
        made = await admin.topics.create(wanted, NewTopic(name=other, assignments={0: [1], 1: [1]}))
        assert (made[name].partitions, made[name].replication_factor) == (3, 1)
        assert made[name].configs["retention.ms"] == "5000"
        again = await admin.topics.create(name)
        assert code_of(again.errors[name]) is ErrorCode.TOPIC_ALREADY_EXISTS

        async def are_there() -> bool:
            return {name, other} <= {topic.name for topic in await admin.topics.list()}

        await soon(are_there)
        listed = {topic.name: topic for topic in await admin.topics.list()}
        assert listed[name].topic_id == made[name].topic_id
        assert listed[other].partitions == 2
        told = await admin.topics.describe(name, "nosuch", authorized_operations=True)
        assert [partition.leader for partition in told[name].partitions] == [1, 1, 1]
        assert AclOperation.ALTER_CONFIGS in (told[name].authorized_operations or ())
        assert code_of(told.errors["nosuch"]) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        by_id = await admin.topics.describe_ids(made[name].topic_id, b"0" * 16)
        assert by_id[made[name].topic_id].name == name
        assert code_of(by_id.errors[b"0" * 16]) is ErrorCode.UNKNOWN_TOPIC_ID

        grown = await admin.topics.add_partitions({name: 5, other: 1})
        assert list(grown.done) == [name]
        assert code_of(grown.errors[other]) is ErrorCode.INVALID_PARTITIONS

        async def has_grown() -> bool:
            return len((await admin.topics.describe(name))[name].partitions) == 5

        await soon(has_grown)

        gone = await admin.topics.delete(name, "nosuch")
        assert list(gone.done) == [name]
        assert code_of(gone.errors["nosuch"]) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        other_id = made[other].topic_id
        gone_ids = await admin.topics.delete_ids(other_id, b"0" * 16)
        assert list(gone_ids.done) == [other_id]
        assert code_of(gone_ids.errors[b"0" * 16]) is ErrorCode.UNKNOWN_TOPIC_ID

        async def are_gone() -> bool:
            return not {name, other} & {topic.name for topic in await admin.topics.list()}

        await soon(are_gone)

    run(bootstrap, work)


def test_many_partitions_are_told_page_by_page(bootstrap: str, name: str) -> None:
    count = 2100

    async def work(admin: Admin) -> None:
        (await admin.topics.create(NewTopic(name=name, partitions=count))).all()

        async def is_whole() -> bool:
            told = (await admin.topics.describe(name)).done.get(name)
            indexes = [] if told is None else [partition.index for partition in told.partitions]
            return indexes == list(range(count))

        await soon(is_whole)
        (await admin.topics.delete(name)).all()

    run(bootstrap, work)


def test_what_confluent_kafka_says_of_a_topic_is_what_we_say(bootstrap: str, name: str) -> None:
    async def work(admin: Admin) -> tuple[Any, Any]:
        (await admin.topics.create(NewTopic(name=name, partitions=3))).all()
        resource = ConfigResource.topic(name)

        async def is_there() -> bool:
            return name in (await admin.topics.describe(name)).done

        await soon(is_there)
        described = (await admin.topics.describe(name))[name]
        return described, (await admin.configs.describe(resource, synonyms=True))[resource]

    described, settings = run(bootstrap, work)
    theirs = AdminClient({"bootstrap.servers": bootstrap})
    told = theirs.list_topics(name, timeout=10).topics[name]
    assert [
        (each.index, each.leader, list(each.replicas), list(each.isr))
        for each in described.partitions
    ] == [(each.id, each.leader, each.replicas, each.isrs) for each in told.partitions.values()]
    resource = ConfluentResource(ConfluentResource.Type.TOPIC, name)
    entries = theirs.describe_configs([resource])[resource].result(ANSWER_SECONDS_MAX)
    assert {
        entry.name: (entry.value, entry.source, entry.is_sensitive) for entry in entries.values()
    } == {
        entry.name: (entry.value, entry.source.value, entry.is_sensitive)
        for entry in settings.values()
    }


# -- records and offsets ---------------------------------------------------------------------------


def test_offsets_are_listed_and_records_deleted(bootstrap: str, name: str) -> None:
    first, second = TopicPartition(name, 0), TopicPartition(name, 1)

    async def work(admin: Admin) -> None:
        (await admin.topics.create(NewTopic(name=name, partitions=2))).all()
        await produce(bootstrap, name, 10)

        async def offset(spec: OffsetSpec | int, **options: Any) -> int | None:
            found = (await admin.offsets.list({first: spec}, **options))[first]
            return None if found is None else found.offset

        assert await offset(OffsetSpec.EARLIEST) == 0
        assert await offset(OffsetSpec.LATEST) == 10
        assert await offset(OffsetSpec.LATEST, isolation_level="read_committed") == 10
        assert await offset(OffsetSpec.MAX_TIMESTAMP) == 9
        assert await offset(OffsetSpec.EARLIEST_LOCAL) == 0
        assert await offset(OffsetSpec.LATEST_TIERED) is None
        assert await offset(1005) == 5
        assert await offset(5000) is None

        deleted = await admin.records.delete({first: 4, second: 1})
        assert deleted.done == {first: 4}
        assert code_of(deleted.errors[second]) is ErrorCode.OFFSET_OUT_OF_RANGE
        assert await offset(OffsetSpec.EARLIEST) == 4
        assert (await admin.records.delete({first: ALL_RECORDS}))[first] == 10

    run(bootstrap, work)


# -- groups ----------------------------------------------------------------------------------------


def test_offsets_of_groups_are_altered_reset_and_deleted(bootstrap: str, name: str) -> None:
    first, second, third = (TopicPartition(name, index) for index in range(3))

    async def work(admin: Admin) -> None:
        (await admin.topics.create(NewTopic(name=name, partitions=3))).all()
        await produce(bootstrap, name, 10)
        altered = await admin.groups.alter_offsets(
            name, {first: 5, second: OffsetAndMetadata(0, metadata="note")}
        )
        assert list(altered.all()) == [first, second]
        offsets = await admin.groups.offsets(name)
        assert offsets == {
            first: OffsetAndMetadata(5),
            second: OffsetAndMetadata(0, metadata="note"),
        }
        assert await admin.groups.offsets(name, [third], require_stable=True) == {third: None}
        many = await admin.groups.offsets_of_many({name: [first], f"{name}-none": None})
        assert many.all() == {name: {first: OffsetAndMetadata(5)}, f"{name}-none": {}}

        async def plan(to: Any) -> int:
            return (await admin.groups.plan_reset(name, to, [first]))[first].offset

        assert await plan(ToEarliest()) == 0
        assert await plan(ShiftBy(-2)) == 3
        assert await plan(ShiftBy(100)) == 10
        assert await plan(ToTime(1007)) == 7
        assert await plan(ByDuration(1000)) == 10

        listed = [group for group in await admin.groups.list() if group.group_id == name]
        assert [(group.state, group.type) for group in listed] == [
            (GroupState.EMPTY, GroupType.CLASSIC)
        ]
        assert name in {
            group.group_id for group in await admin.groups.list(types=[GroupType.CLASSIC])
        }
        assert name not in {
            group.group_id for group in await admin.groups.list(states=[GroupState.STABLE])
        }
        gone = await admin.groups.delete_offsets(name, [second])
        assert list(gone.all()) == [second]
        assert list(await admin.groups.offsets(name)) == [first]
        deleted = await admin.groups.delete(name, "nosuch")
        assert list(deleted.done) == [name]
        assert code_of(deleted.errors["nosuch"]) is ErrorCode.GROUP_ID_NOT_FOUND
        told = await admin.groups.describe(name)
        assert code_of(told.errors[name]) is ErrorCode.GROUP_ID_NOT_FOUND

    run(bootstrap, work)


def member(bootstrap: str, group: str, topic: str, **settings: str) -> ConfluentConsumer:
    """One that has its partitions."""
    consumer = ConfluentConsumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
    )
    consumer.subscribe([topic])
    deadline = time.monotonic() + MEMBER_SECONDS_MAX
    while not consumer.assignment():
        assert time.monotonic() < deadline, "it gets no partitions"
        consumer.poll(0.1)
    return consumer


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_with_a_member_is_told_in_one_form(
    bootstrap: str, name: str, protocol: str
) -> None:
    partitions = tuple(TopicPartition(name, index) for index in range(3))

    async def describe(admin: Admin) -> Any:
        told = await admin.groups.describe(name, authorized_operations=True)
        listed = await admin.groups.list(types=[GroupType(protocol)], states=[GroupState.STABLE])
        assert name in {group.group_id for group in listed}
        refused = await admin.groups.delete(name)
        assert code_of(refused.errors[name]) is ErrorCode.NON_EMPTY_GROUP
        altered = await admin.groups.alter_offsets(name, {partitions[0]: 1})
        assert code_of(altered.errors[partitions[0]]) is ErrorCode.UNKNOWN_MEMBER_ID
        return told[name]

    run(bootstrap, lambda admin: admin.topics.create(NewTopic(name=name, partitions=3)))
    consumer = member(bootstrap, name, name, group_protocol=protocol, group_instance_id="one")
    try:
        group = run(bootstrap, describe)
        assert group.type is GroupType(protocol)
        assert group.state is GroupState.STABLE
        assert group.protocol_type == "consumer"
        assert group.assignor in {"range", "uniform"}
        assert group.coordinator is not None
        assert AclOperation.DELETE in (group.authorized_operations or ())
        (only,) = group.members
        assert only.group_instance_id == "one"
        assert only.assignment == partitions
        assert only.subscribed_topics == {name}
        assert only.speaks_classic is (protocol == "classic")
        assert (only.member_epoch is None) is (protocol == "classic")
        theirs = AdminClient({"bootstrap.servers": bootstrap})
        told = theirs.describe_consumer_groups([name])[name].result(ANSWER_SECONDS_MAX)
        assert told.state.name == group.state.name
        assert [each.member_id for each in told.members] == [only.member_id]
        assert [each.host for each in told.members] == [only.host]
    finally:
        consumer.close()


def test_members_are_removed(bootstrap: str, name: str) -> None:
    async def work(admin: Admin) -> None:
        gone = await admin.groups.remove_members(
            name,
            [MemberToRemove(group_instance_id="one"), MemberToRemove("nobody")],
            reason="the test says so",
        )
        assert list(gone.done) == [MemberToRemove(group_instance_id="one")]
        assert code_of(gone.errors[MemberToRemove("nobody")]) is ErrorCode.UNKNOWN_MEMBER_ID
        assert (await admin.groups.describe(name))[name].state is GroupState.EMPTY

    run(bootstrap, lambda admin: admin.topics.create(name))
    consumer = member(bootstrap, name, name, group_instance_id="one")
    try:
        run(bootstrap, work)
    finally:
        consumer.close()


def test_all_members_are_removed(bootstrap: str, name: str) -> None:
    async def work(admin: Admin) -> None:
        assert len((await admin.groups.remove_members(name)).all()) == 1
        assert (await admin.groups.describe(name))[name].members == ()

    run(bootstrap, lambda admin: admin.topics.create(name))
    consumer = member(bootstrap, name, name)
    try:
        run(bootstrap, work)
    finally:
        consumer.close()


# -- settings --------------------------------------------------------------------------------------


def test_settings_are_described(bootstrap: str, name: str) -> None:
    async def work(admin: Admin) -> None:
        topic, broker, none = (
            ConfigResource.topic(name),
            ConfigResource.broker(1),
            ConfigResource.topic("nosuch"),
        )
        (await admin.topics.create(NewTopic(name=name, configs={"retention.ms": "5000"}))).all()
        told = await admin.configs.describe(topic, broker, none, synonyms=True, documentation=True)
        assert code_of(told.errors[none]) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        retention = told[topic]["retention.ms"]
        assert (retention.value, retention.source) == ("5000", ConfigSource.TOPIC)
        assert retention.type is ConfigType.LONG
        assert retention.documentation
        assert retention.synonyms[0].source is ConfigSource.TOPIC
        assert told[topic]["cleanup.policy"].is_default
        assert told[broker]["node.id"].value == "1"
        assert told[broker]["node.id"].is_read_only
        some = await admin.configs.describe(topic, names=["segment.ms", "retention.ms"])
        assert list(some[topic]) == ["retention.ms", "segment.ms"]

    run(bootstrap, work)


def test_settings_are_altered_one_by_one(bootstrap: str, name: str) -> None:
    topic, none = ConfigResource.topic(name), ConfigResource.topic("nosuch")

    async def work(admin: Admin) -> None:
        (await admin.topics.create(NewTopic(name=name, configs={"retention.ms": "5000"}))).all()

        async def own() -> dict[str, str | None]:
            settings = (await admin.configs.describe(topic))[topic]
            return {
                entry.name: entry.value
                for entry in settings.values()
                if entry.source is ConfigSource.TOPIC
            }

        changes: dict[str, Change] = {
            "cleanup.policy": Append("compact"),
            "segment.ms": "70000",
        }
        await admin.configs.alter({topic: changes}, validate_only=True)
        assert await own() == {"retention.ms": "5000"}
        altered = await admin.configs.alter({topic: changes, none: {"segment.ms": "70000"}})
        assert list(altered.done) == [topic]
        assert code_of(altered.errors[none]) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        wanted = {"cleanup.policy": "delete,compact", "segment.ms": "70000"}

        async def has(expected: dict[str, str]) -> bool:
            return await own() == {"retention.ms": "5000", **expected}

        await soon(lambda: has(wanted))
        back: dict[str, Change] = {"cleanup.policy": Subtract("delete"), "segment.ms": None}
        (await admin.configs.alter({topic: back})).all()
        await soon(lambda: has({"cleanup.policy": "compact"}))
        refused = await admin.configs.alter({topic: {"retention.ms": "soon"}})
        assert code_of(refused.errors[topic]) is ErrorCode.INVALID_CONFIG

    run(bootstrap, work, needs=(incremental_alter_configs,))


def test_what_has_settings_is_listed(bootstrap: str, name: str) -> None:
    async def work(admin: Admin) -> None:
        async def is_there() -> bool:
            listed = await admin.configs.list_resources(ResourceType.TOPIC)
            return ConfigResource.topic(name) in listed

        (await admin.topics.create(name)).all()
        await soon(is_there)
        assert ConfigResource.broker(1) in await admin.configs.list_resources()

    run(bootstrap, work, needs=(list_config_resources,))


def test_subscriptions_of_client_metrics_come_and_go(bootstrap: str, name: str) -> None:
    wanted = Subscription(
        metrics=("org.apache.kafka.producer.",),
        interval_ms=30_000,
        match=("client_software_name=ottla", "client_id=a.*"),
    )

    async def work(admin: Admin) -> None:
        async def is_there() -> bool:
            return name in await admin.client_metrics.list()

        async def is_gone() -> bool:
            return not await is_there()

        await admin.client_metrics.set(name, wanted)
        await soon(is_there)
        assert await admin.client_metrics.describe(name) == wanted
        await admin.client_metrics.delete(name)
        await soon(is_gone)

    run(bootstrap, work, needs=(incremental_alter_configs, list_config_resources))


# -- producers and transactions --------------------------------------------------------------------


def test_a_transaction_is_told_fenced_and_gone(bootstrap: str, name: str) -> None:
    partition = TopicPartition(name, 0)

    async def work(admin: Admin) -> None:
        (await admin.topics.create(name)).all()
        async with Producer(bootstrap, transactional_id=name) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(name, b"x", partition=0)
            told = (await admin.transactions.describe(name, "nosuch")).done[name]
            assert told.state is TransactionState.ONGOING
            assert told.partitions == {partition}
            assert told.start_time_ms is not None
            listed = await admin.transactions.list(
                states=[TransactionState.ONGOING], producer_ids=[told.producer_id]
            )
            assert [each.transactional_id for each in listed] == [name]
            assert not await admin.transactions.list(
                open_longer_than_ms=3_600_000, pattern=f"{name}.*"
            )
            (state,) = (await admin.producers.describe(partition))[partition]
            assert (state.producer_id, state.transaction_start_offset) == (told.producer_id, 0)
            (same,) = (await admin.producers.describe(partition, broker_id=1))[partition]
            assert same == state
            # Its coordinator knows it: it does not hang.
            assert not await admin.transactions.find_hanging(
                partition, max_transaction_timeout_ms=-60_000
            )
            fenced = (await admin.transactions.fence(name))[name]
            assert fenced.producer_id >= 0
            with pytest.raises(UserError):
                await producer.commit_transaction()
        done = await admin._asking.cluster.retry(
            lambda: completed(admin, name), failed="it was not aborted", timeout_s=20
        )
        assert not done.partitions
        missing = await admin.transactions.describe("nosuch")
        assert code_of(missing.errors["nosuch"]) is ErrorCode.TRANSACTIONAL_ID_NOT_FOUND

    run(bootstrap, work)


async def completed(admin: Admin, transactional_id: str) -> Any:
    """Once its markers are written."""
    told = (await admin.transactions.describe(transactional_id))[transactional_id]
    if told.state not in {TransactionState.COMPLETE_ABORT, TransactionState.EMPTY}:
        raise RefusedError(ErrorCode.CONCURRENT_TRANSACTIONS, told.state.value)
    return told


def test_an_open_transaction_is_aborted_past_its_coordinator(bootstrap: str, name: str) -> None:
    partition = TopicPartition(name, 0)

    async def work(admin: Admin) -> None:
        (await admin.topics.create(name)).all()
        async with Producer(bootstrap, transactional_id=name) as producer:
            async with producer.transaction():
                await producer.send_and_wait(name, b"x", partition=0)
            await producer.begin_transaction()
            begin = await producer.send_and_wait(name, b"x", partition=0)
            (state,) = (await admin.producers.describe(partition))[partition]
            stale = AbortSpec(
                partition=partition,
                producer_id=state.producer_id,
                producer_epoch=state.producer_epoch - 1,
            )
            refused = await admin.transactions.abort(stale)
            assert code_of(refused.errors[partition]) is ErrorCode.INVALID_PRODUCER_EPOCH
            with pytest.raises(RefusedError, match=r"no open transaction .* begins at 70"):
                await admin.transactions.abort_at(partition, 70)
            await admin.transactions.abort_at(partition, begin.offset)
            (state,) = (await admin.producers.describe(partition))[partition]
            assert state.transaction_start_offset is None
            await producer.abort_transaction()

    run(bootstrap, work)


def test_a_transaction_that_no_coordinator_knows_is_found_and_aborted(
    bootstrap: str, name: str
) -> None:
    partition = TopicPartition(name, 0)
    all_brokers = ConfigResource.broker()
    verification = "transaction.partition.verification.enable"

    async def produced(admin: Admin) -> bool:
        leader = await admin._asking.cluster.connection(1)
        request = ProduceRequest(
            transactional_id=name,
            acks=-1,
            timeout_ms=10_000,
            topic_data=[
                TopicProduceData(
                    name=name,
                    partition_data=[PartitionProduceData(index=0, records=orphaned_batch())],
                )
            ],
        )
        # Later versions join the transaction by themselves.
        response = await leader.call(request, ProduceResponse, at_most=11)
        return response.responses[0].partition_responses[0].error_code == ErrorCode.NONE

    async def work(admin: Admin) -> None:
        (await admin.topics.create(name)).all()
        (await admin.configs.alter({all_brokers: {verification: "false"}})).all()
        try:
            await soon(lambda: produced(admin))
        finally:
            (await admin.configs.alter({all_brokers: {verification: None}})).all()
        (hanging,) = await admin.transactions.find_hanging(topic=name)
        assert (hanging.partition, hanging.producer.producer_id) == (partition, ORPHAN)
        assert not await admin.transactions.find_hanging(broker_id=99)
        end = {partition: OffsetSpec.LATEST}
        held = await admin.offsets.list(end, isolation_level="read_committed")
        assert held[partition] == ListedOffset(offset=0, leader_epoch=0)
        (await admin.transactions.abort(hanging.abort_spec)).all()
        assert not await admin.transactions.find_hanging(partition)
        free = await admin.offsets.list(end, isolation_level="read_committed")
        assert free[partition] == ListedOffset(offset=2, leader_epoch=0)

    run(bootstrap, work, needs=(incremental_alter_configs,))


ORPHAN = 987_654


def orphaned_batch() -> bytearray:
    """Of a transaction, by a producer that no coordinator has made."""
    return build_batch(
        [Record(timestamp=1000, value=b"x")],
        producer_id=ORPHAN,
        producer_epoch=1,
        base_sequence=0,
        transactional=True,
    )


# -- directories -----------------------------------------------------------------------------------


def test_directories_are_told(bootstrap: str, name: str) -> None:
    partition = TopicPartition(name, 0)

    async def work(admin: Admin) -> None:
        (await admin.topics.create(NewTopic(name=name, partitions=2))).all()
        await produce(bootstrap, name, 10)
        told = (await admin.log_dirs.describe())[1]
        assert all(directory.error is None for directory in told.values())
        assert all((directory.total_bytes or 0) > 0 for directory in told.values())
        (holder,) = [each for each in told.values() if partition in each.replicas]
        assert holder.replicas[partition].size_bytes > 0
        only = (await admin.log_dirs.describe([1], partitions=[partition]))[1]
        assert [*only[holder.path].replicas] == [partition]
        place = (await admin.log_dirs.find(Replica(1, partition)))[Replica(1, partition)]
        assert (place.path, place.lag, place.future_path) == (holder.path, 0, None)
        moved = await admin.log_dirs.move({Replica(1, partition): "/nosuch"})
        assert code_of(moved.errors[Replica(1, partition)]) is ErrorCode.LOG_DIR_NOT_FOUND

    run(bootstrap, work)


@needs_java
def test_a_replica_moves_between_directories_of_kafka(kafka: KafkaProcess, name: str) -> None:
    replica = Replica(1, TopicPartition(name, 0))

    async def work(admin: Admin) -> None:
        (await admin.topics.create(name)).all()
        await produce(kafka.bootstrap, name, 10)
        paths = list((await admin.log_dirs.describe())[1])
        here = (await admin.log_dirs.find(replica))[replica].path
        (there,) = [path for path in paths if path != here]
        (await admin.log_dirs.move({replica: there})).all()

        async def arrived() -> None:
            place = (await admin.log_dirs.find(replica))[replica]
            if place.path != there:
                raise RefusedError(ErrorCode.REPLICA_NOT_AVAILABLE, str(place))

        await admin._asking.cluster.retry(arrived, failed="it did not move", timeout_s=20)

    run(kafka.bootstrap, work)


# -- the cluster -----------------------------------------------------------------------------------


def test_the_cluster_tells_of_itself(bootstrap: str) -> None:
    async def work(admin: Admin) -> Any:
        features = await admin.cluster.features()
        assert features["metadata.version"].level > 1
        level = features["transaction.version"]
        assert (level.min_level, level.level) == (0, 2)
        return await admin.cluster.describe(authorized_operations=True, fenced=True)

    told = run(bootstrap, work)
    assert [each.node.node_id for each in told.nodes] == [1]
    assert not told.nodes[0].is_fenced
    assert told.controller == told.nodes[0].node
    assert AclOperation.ALTER in (told.authorized_operations or ())
    theirs = AdminClient({"bootstrap.servers": bootstrap})
    cluster = theirs.describe_cluster().result(ANSWER_SECONDS_MAX)
    assert cluster.cluster_id == told.cluster_id
    assert [(node.id, node.host, node.port) for node in cluster.nodes] == [
        (each.node.node_id, each.node.host, each.node.port) for each in told.nodes
    ]


def test_features_are_updated(bootstrap: str) -> None:
    name = "transaction.version"

    async def work(admin: Admin) -> None:
        down = FeatureUpdate(1, FeatureUpgrade.SAFE_DOWNGRADE)
        refused = await admin.cluster.update_features({name: 99})
        assert code_of(refused.errors[name]) is ErrorCode.INVALID_UPDATE_VERSION
        (await admin.cluster.update_features({name: down}, validate_only=True)).all()
        assert (await admin.cluster.features())[name].level == 2

    run(bootstrap, work, needs=(update_features,))


def test_the_quorum_is_told(bootstrap: str) -> None:
    quorum = run(bootstrap, lambda admin: admin.cluster.quorum(), needs=(describe_quorum,))
    assert quorum.leader_id == 1
    assert quorum.high_watermark > 0
    assert [each.node_id for each in quorum.voters] == [1]
    assert quorum.voters[0].log_end_offset >= quorum.high_watermark
    assert quorum.nodes[1][0].port > 0


def test_a_broker_that_is_not_registered_cannot_be_forgotten(bootstrap: str) -> None:
    async def work(admin: Admin) -> None:
        with pytest.raises(RefusedError) as refused:
            await admin.cluster.unregister_broker(99)
        assert refused.value.code is ErrorCode.BROKER_ID_NOT_REGISTERED

    run(bootstrap, work, needs=(unregister_broker,))


def test_leaders_are_elected(bootstrap: str, name: str) -> None:
    first, none = TopicPartition(name, 0), TopicPartition("nosuch", 0)

    async def work(admin: Admin) -> None:
        (await admin.topics.create(name)).all()
        elected = await admin.partitions.elect_leaders([first, none])
        assert elected.done == {first: False}
        assert code_of(elected.errors[none]) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert not (await admin.partitions.elect_leaders()).errors
        unclean = await admin.partitions.elect_leaders([first], election=Election.UNCLEAN)
        assert unclean.done == {first: False}

    run(bootstrap, work, needs=(elect_leaders,))


def test_partitions_are_reassigned(bootstrap: str, name: str) -> None:
    first, second = (TopicPartition(name, index) for index in range(2))

    async def work(admin: Admin) -> None:
        (await admin.topics.create(NewTopic(name=name, partitions=2))).all()
        told = await admin.partitions.reassign({first: [1], second: [1, 2]})
        assert list(told.done) == [first]
        assert code_of(told.errors[second]) is ErrorCode.INVALID_REPLICA_ASSIGNMENT
        cancelled = await admin.partitions.reassign({first: None})
        assert code_of(cancelled.errors[first]) is ErrorCode.NO_REASSIGNMENT_IN_PROGRESS
        assert await admin.partitions.list_reassignments() == {}
        assert await admin.partitions.list_reassignments([first]) == {}

    run(bootstrap, work, needs=(alter_partition_reassignments,))


# -- who may do what, and how much of it -----------------------------------------------------------


def test_quotas_are_set_found_and_removed(bootstrap: str, name: str) -> None:
    user = QuotaEntity(user=name)
    both = QuotaEntity(user=name, client_id=Whose.DEFAULT)

    async def work(admin: Admin) -> None:
        wanted = {user: {"producer_byte_rate": 1024.0}, both: {"consumer_byte_rate": 2048.0}}
        await admin.quotas.alter(wanted, validate_only=True)
        assert await admin.quotas.describe(user=name) == {}
        (await admin.quotas.alter(wanted)).all()

        async def has(expected: dict[QuotaEntity, dict[str, float]]) -> bool:
            return await admin.quotas.describe(user=name) == expected

        await soon(lambda: has(wanted))
        assert await admin.quotas.describe(user=name, strict=True) == {user: wanted[user]}
        assert both in await admin.quotas.describe(client_id=Whose.DEFAULT)
        assert user in await admin.quotas.describe(user=Whose.ANY)
        (await admin.quotas.alter({user: {"producer_byte_rate": None}})).all()
        await soon(lambda: has({both: wanted[both]}))
        refused = await admin.quotas.alter({user: {"nosuch": 1.0}})
        assert code_of(refused.errors[user]) is ErrorCode.INVALID_REQUEST

    run(bootstrap, work)


def test_passwords_are_set_told_and_removed(bootstrap: str, name: str) -> None:
    sha256 = ScramMechanism.SCRAM_SHA_256

    async def work(admin: Admin) -> None:
        altered = await admin.credentials.alter(
            SetPassword(user=name, password="secret", iterations=8192),
            SetPassword(user=f"{name}-few", password="secret", iterations=1),
        )
        assert list(altered.done) == [name]
        assert code_of(altered.errors[f"{name}-few"]) is ErrorCode.UNACCEPTABLE_CREDENTIAL
        other = SetPassword(user=name, password=b"secret", mechanism=sha256, salt=b"salt")
        (await admin.credentials.alter(other)).all()

        async def has_both() -> bool:
            told = await admin.credentials.describe(name)
            return len(told.done.get(name, ())) == 2

        await soon(has_both)
        told = await admin.credentials.describe(name, "nosuch")
        assert {each.mechanism: each.iterations for each in told[name]} == {
            sha256: 4096,
            ScramMechanism.SCRAM_SHA_512: 8192,
        }
        assert code_of(told.errors["nosuch"]) is ErrorCode.RESOURCE_NOT_FOUND
        assert name in (await admin.credentials.describe()).all()
        (await admin.credentials.alter(RemovePassword(user=name))).all()

        async def has_one() -> bool:
            left = (await admin.credentials.describe(name))[name]
            return [each.mechanism for each in left] == [sha256]

        await soon(has_one)

    run(bootstrap, work)


def test_acls_are_made_found_and_removed(guarded: str, name: str) -> None:
    reads = AclBinding(AclResourceType.TOPIC, name, "User:alice", AclOperation.READ)
    writes = AclBinding(AclResourceType.TOPIC, name, "User:bob", AclOperation.WRITE)
    of_topic = AclFilter(resource_type=AclResourceType.TOPIC, resource_name=name)

    async def work(admin: Admin) -> None:
        made = await admin.acls.create(reads, writes, writes._replace(principal="nobody"))
        assert list(made.done) == [reads, writes]
        assert (
            code_of(made.errors[writes._replace(principal="nobody")]) is ErrorCode.INVALID_REQUEST
        )

        async def has(*wanted: AclBinding) -> bool:
            found = await admin.acls.describe(of_topic)  # Kafka's are in no order
            return sorted(found) == sorted(wanted)

        await soon(lambda: has(reads, writes))
        assert await admin.acls.describe(of_topic._replace(principal="User:bob")) == (writes,)
        gone = await admin.acls.delete(of_topic._replace(operation=AclOperation.READ))
        assert list(gone.all().values()) == [(reads,)]
        await soon(lambda: has(writes))
        (await admin.acls.delete(of_topic)).all()
        await soon(has)

    run(guarded, work)


def test_tokens_are_refused_to_whom_the_broker_does_not_know(bootstrap: str) -> None:
    async def work(admin: Admin) -> None:
        asked: list[Callable[[], Awaitable[Any]]] = [
            lambda: admin.tokens.create(
                renewers=[Principal("User", "bob")], max_lifetime_ms=60_000
            ),
            lambda: admin.tokens.renew(b"hmac"),
            lambda: admin.tokens.expire(b"hmac"),
            lambda: admin.tokens.describe(),
        ]
        for ask in asked:
            with pytest.raises(RefusedError) as refused:
                await ask()
            assert refused.value.code is ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED

    run(bootstrap, work)


def test_what_a_broker_does_not_offer_is_said_by_name(start_broker: BrokerFactory) -> None:
    old = start_broker("--set", "ottla.api.versions=CreateDelegationToken:none")

    async def work(admin: Admin) -> None:
        node = await admin._asking.cluster.any_node()
        assert not node.speaks(create_delegation_token.CreateDelegationTokenRequest)
        with pytest.raises(UnsupportedByBrokerError, match="CreateDelegationTokenRequest"):
            await admin.tokens.create()

    run(old.bootstrap, work)


# -- the guide -------------------------------------------------------------------------------------


def test_the_guide_runs(tmp_path: Path, broker: BrokerProcess) -> None:
    (found,) = PROGRAM.finditer(GUIDE.read_text())
    program = tmp_path / found["name"]
    program.write_text(found["text"])
    done = subprocess.run(
        [sys.executable, str(program), broker.bootstrap],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "orders has 6 partitions" in done.stdout
    assert "billing begins again at 40" in done.stdout
    assert "refused: UNKNOWN_TOPIC_OR_PARTITION" in done.stdout
