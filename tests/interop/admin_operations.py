"""Every operation of librdkafka's and kafka-python's admin clients, tried once at least.

Each tells lines of "operation: what it answered", as far as two brokers can answer alike; an error
by its name. The last line names the methods of the client's class that were not tried.

`python -X faulthandler admin_operations.py librdkafka|kafka-python BOOTSTRAP` prints them.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    ElectionType,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka import admin as librdkafka_admin
from confluent_kafka.admin import AdminClient

from tests.clients.admin import PATIENCE_SECONDS, kafka_python_admin

TOPIC: Final = "tried"
GROUP: Final = "moved"
SETTLE_SECONDS: Final = 1.0
"""Apache Kafka's answers follow its changes a little later."""

api: Any = librdkafka_admin
"""It exports its names in a way that type checkers do not see."""

Attempt = Callable[[], object]


def _told(attempt: Attempt) -> str:
    try:
        return str(attempt())
    except KafkaException as error:
        return f"! {error.args[0].name()}"
    except Exception as error:  # noqa: BLE001 # whatever a client raises is its answer
        return f"! {type(error).__name__}"


def _lines(attempts: Iterator[tuple[str, Attempt]]) -> list[str]:
    return [f"{name}: {_told(attempt)}" for name, attempt in attempts]


def _not_tried(client: type, lines: list[str], local: set[str]) -> str:
    """What the client's class offers, and no line is about."""
    offered = {
        name
        for name, found in inspect.getmembers(client, callable)
        if not name.startswith("_") and name not in local
    }
    return f"not tried: {sorted(offered - {line.partition(':')[0].split()[0] for line in lines})}"


# -- librdkafka ----------------------------------------------------------------------------------


def _outcomes(futures: Mapping[Any, Future[Any]]) -> dict[str, str]:
    """Each item's outcome: done, or the error's name."""
    return {
        str(item): "! " + name[2:] if (name := _told(one.result)).startswith("! ") else "done"
        for item, one in sorted(futures.items(), key=lambda pair: str(pair[0]))
    }


def by_librdkafka(bootstrap: str) -> list[str]:
    """What confluent-kafka's AdminClient is told."""
    client = AdminClient({"bootstrap.servers": bootstrap})
    lines = _lines(_librdkafka_attempts(client, bootstrap))
    local = {"poll", "set_sasl_credentials", "cluster_id"}
    return [*lines, _not_tried(AdminClient, lines, local)]


def _librdkafka_attempts(client: Any, bootstrap: str) -> Iterator[tuple[str, Attempt]]:
    wait = PATIENCE_SECONDS
    place = TopicPartition(TOPIC, 0)
    yield (
        "create_topics",
        lambda: _outcomes(
            client.create_topics([api.NewTopic(TOPIC, 3, 1), api.NewTopic("other", 1, 1)])
        ),
    )
    time.sleep(SETTLE_SECONDS)
    yield "list_topics", lambda: sorted(client.list_topics(timeout=wait).topics)
    yield (
        "describe_topics",
        lambda: [
            (one.name, len(one.partitions), one.is_internal)
            for one in [client.describe_topics(TopicCollection([TOPIC]))[TOPIC].result(wait)]
        ],
    )
    yield "describe_cluster", lambda: len(client.describe_cluster().result(wait).nodes)
    yield (
        "create_partitions",
        lambda: _outcomes(client.create_partitions([api.NewPartitions(TOPIC, 4)])),
    )
    yield from _librdkafka_configs(client)
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(10):
        producer.produce(TOPIC, b"v", partition=0, timestamp=1000 + number)
    producer.flush(wait)
    for name, spec in (
        ("earliest", api.OffsetSpec.earliest()),
        ("latest", api.OffsetSpec.latest()),
        ("of a time", api.OffsetSpec.for_timestamp(1004)),
        ("largest time", api.OffsetSpec.max_timestamp()),
    ):
        yield f"list_offsets {name}", partial(_librdkafka_offset, client, place, spec)
    cut = TopicPartition(TOPIC, 0, 3)
    yield "delete_records", lambda: client.delete_records([cut])[cut].result(wait).low_watermark
    yield (
        "elect_leaders",
        lambda: [
            (str(at), None if error is None else error.name())
            for at, error in client.elect_leaders(ElectionType.PREFERRED, [place])
            .result(wait)
            .items()
        ],
    )
    yield from _librdkafka_groups(client)
    yield from _librdkafka_security(client)
    yield "delete_topics", lambda: _outcomes(client.delete_topics([TOPIC, "other", "missing"]))


def _librdkafka_offset(client: Any, place: TopicPartition, spec: Any) -> object:
    committed = IsolationLevel.READ_COMMITTED
    asked = client.list_offsets({place: spec}, isolation_level=committed)
    found = asked[place].result(PATIENCE_SECONDS)
    return found.offset, found.timestamp


def _librdkafka_configs(client: Any) -> Iterator[tuple[str, Attempt]]:
    def topic(**configs: str) -> Any:
        texts = {name.replace("_", "."): value for name, value in configs.items()}
        return api.ConfigResource(api.ConfigResource.Type.TOPIC, TOPIC, set_config=texts)

    change = api.ConfigEntry(
        "retention.ms", "5000", incremental_operation=api.AlterConfigOpType.SET
    )
    incrementally = api.ConfigResource(
        api.ConfigResource.Type.TOPIC, TOPIC, incremental_configs=[change]
    )
    yield "alter_configs", lambda: _outcomes(client.alter_configs([topic(segment_ms="60000")]))
    yield (
        "incremental_alter_configs",
        lambda: _outcomes(client.incremental_alter_configs([incrementally])),
    )
    yield (
        "incremental_alter_configs wrong",
        lambda: _outcomes(
            client.incremental_alter_configs(
                [
                    api.ConfigResource(
                        api.ConfigResource.Type.TOPIC,
                        TOPIC,
                        incremental_configs=[
                            api.ConfigEntry(
                                "segment.ms",
                                "soon",
                                incremental_operation=api.AlterConfigOpType.SET,
                            )
                        ],
                    )
                ]
            )
        ),
    )
    time.sleep(SETTLE_SECONDS)

    def described() -> object:
        (future,) = client.describe_configs([topic()]).values()
        found = future.result(PATIENCE_SECONDS)
        return [found[name].value for name in ("segment.ms", "retention.ms", "cleanup.policy")]

    yield "describe_configs", described


def _librdkafka_groups(client: Any) -> Iterator[tuple[str, Attempt]]:
    wait = PATIENCE_SECONDS
    positions = ConsumerGroupTopicPartitions(GROUP, [TopicPartition(TOPIC, 0, 5)])
    asked = [ConsumerGroupTopicPartitions(GROUP, [TopicPartition(TOPIC, 0)])]
    yield (
        "alter_consumer_group_offsets",
        lambda: _outcomes(client.alter_consumer_group_offsets([positions])),
    )
    yield (
        "list_consumer_group_offsets",
        lambda: [
            (place.topic, place.partition, place.offset)
            for place in client.list_consumer_group_offsets(asked)[GROUP]
            .result(wait)
            .topic_partitions
        ],
    )
    yield (
        "list_consumer_groups",
        lambda: sorted(
            (one.group_id, one.state.name, one.type.name)
            for one in client.list_consumer_groups().result(wait).valid
        ),
    )
    yield (
        "describe_consumer_groups",
        lambda: [
            (one.group_id, one.state.name, one.is_simple_consumer_group, len(one.members))
            for one in [client.describe_consumer_groups([GROUP])[GROUP].result(wait)]
        ],
    )
    yield "list_groups", lambda: [(one.id, one.state) for one in client.list_groups(timeout=wait)]
    yield (
        "delete_consumer_groups",
        lambda: _outcomes(client.delete_consumer_groups([GROUP, "nobody"])),
    )


def _librdkafka_security(client: Any) -> Iterator[tuple[str, Attempt]]:
    wait = PATIENCE_SECONDS
    rule = api.AclBinding(
        api.ResourceType.TOPIC,
        TOPIC,
        api.ResourcePatternType.LITERAL,
        "User:ann",
        "*",
        api.AclOperation.READ,
        api.AclPermissionType.ALLOW,
    )
    every = api.AclBindingFilter(
        api.ResourceType.ANY,
        None,
        api.ResourcePatternType.ANY,
        None,
        None,
        api.AclOperation.ANY,
        api.AclPermissionType.ANY,
    )
    info = api.ScramCredentialInfo(api.ScramMechanism.SCRAM_SHA_256, 8192)
    yield "create_acls", lambda: list(_outcomes(client.create_acls([rule])).values())
    yield "describe_acls", lambda: client.describe_acls(every).result(wait)
    yield "delete_acls", lambda: list(_outcomes(client.delete_acls([every])).values())
    yield (
        "alter_user_scram_credentials",
        lambda: _outcomes(
            client.alter_user_scram_credentials(
                [
                    api.UserScramCredentialUpsertion("ann", info, b"secret", b"salt"),
                    api.UserScramCredentialDeletion("nobody", api.ScramMechanism.SCRAM_SHA_512),
                ]
            )
        ),
    )
    time.sleep(SETTLE_SECONDS)
    yield (
        "describe_user_scram_credentials",
        lambda: {
            name: [(one.mechanism.name, one.iterations) for one in found.scram_credential_infos]
            for name, found in client.describe_user_scram_credentials().result(wait).items()
        },
    )


# -- kafka-python --------------------------------------------------------------------------------


def by_kafka_python(bootstrap: str) -> list[str]:
    """What kafka-python's KafkaAdminClient is told."""
    client = kafka_python_admin(bootstrap)
    try:
        _await_coordinator(client)
        lines = _lines(_kafka_python_attempts(client, bootstrap))
    finally:
        client.close()
    return [*lines, _not_tried(type(client), lines, {"close"})]


def _await_coordinator(client: Any) -> None:
    """The first who asks for one has its topic made; this client does not wait for that."""
    from kafka.errors import (  # type: ignore[import-untyped] # has no types
        CoordinatorNotAvailableError,
    )

    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            client.list_group_offsets(GROUP)
        except CoordinatorNotAvailableError:
            time.sleep(SETTLE_SECONDS)
        else:
            return


def _names(outcomes: Any) -> object:
    """Error classes of a dict by item, by their names."""
    return {str(item): getattr(one, "__name__", one) for item, one in sorted(outcomes.items())}


def _kafka_python_attempts(client: Any, bootstrap: str) -> Iterator[tuple[str, Attempt]]:
    from kafka import TopicPartition as Place  # type: ignore[import-untyped] # has no types
    from kafka.admin import NewTopic as Topic  # type: ignore[import-untyped] # has no types

    yield "api_versions", lambda: len(client.api_versions()) > 0
    yield (
        "create_topics",
        lambda: [
            (one["name"], one["error_code"], one["num_partitions"])
            for one in client.create_topics([Topic(TOPIC, 3, 1)])["topics"]
        ],
    )
    yield "wait_for_topics", lambda: client.wait_for_topics([TOPIC])
    time.sleep(SETTLE_SECONDS)
    yield "list_topics", lambda: sorted(client.list_topics())
    yield (
        "describe_topics",
        lambda: [
            (one["name"], one["is_internal"], len(one["partitions"]))
            for one in client.describe_topics([TOPIC])
        ],
    )
    yield (
        "describe_topic_partitions",
        lambda: [
            (one["name"], len(one["partitions"]), one["error_code"])
            for one in client.describe_topic_partitions([TOPIC])["topics"]
        ],
    )
    yield (
        "create_partitions",
        lambda: [
            (one.name, one.error_code) for one in client.create_partitions({TOPIC: 4}).results
        ],
    )
    node = client.describe_cluster()["brokers"][0]["broker_id"]
    yield "describe_cluster", lambda: len(client.describe_cluster()["brokers"])
    yield "get_broker_version_data", lambda: client.get_broker_version_data(node) is not None
    produce_ten(bootstrap)
    place = Place(TOPIC, 0)
    yield from _kafka_python_configs(client)
    yield from _kafka_python_records(client, place)
    yield from _kafka_python_groups(client, place, bootstrap)
    yield from _kafka_python_placement(client, place, node)
    yield from _kafka_python_security(client)
    yield from _kafka_python_transactions(client, bootstrap)
    yield (
        "delete_topics",
        lambda: [
            (one["name"], one["error_code"]) for one in client.delete_topics([TOPIC])["topics"]
        ],
    )


def produce_ten(bootstrap: str) -> None:
    """Records of partition 0, at 1000 ms and each of the next."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(10):
        producer.produce(TOPIC, b"v", partition=0, timestamp=1000 + number)
    producer.flush(PATIENCE_SECONDS)


def _kafka_python_configs(client: Any) -> Iterator[tuple[str, Attempt]]:
    from kafka.admin import ConfigResource as Resource
    from kafka.admin import ConfigResourceType

    def topic(configs: dict[str, Any] | None = None) -> Any:
        return Resource(ConfigResourceType.TOPIC, TOPIC, configs)

    def described() -> object:
        (found,) = client.describe_configs([topic()])["topic"].values()
        return sorted((name, one["value"]) for name, one in found.items())

    yield "alter_configs", lambda: client.alter_configs([topic({"segment.ms": "60000"})])
    yield (
        "alter_configs wrong",
        lambda: (
            "InvalidConfiguration" in str(client.alter_configs([topic({"segment.ms": "soon"})]))
        ),
    )
    time.sleep(SETTLE_SECONDS)
    yield "describe_configs", described
    yield "reset_configs", lambda: client.reset_configs([topic({"segment.ms": None})])
    time.sleep(SETTLE_SECONDS)
    yield "describe_configs reset", described
    yield "list_config_resources", lambda: TOPIC in str(client.list_config_resources())


def _kafka_python_records(client: Any, place: Any) -> Iterator[tuple[str, Attempt]]:
    from kafka.admin import OffsetSpec as Spec

    for spec in Spec:
        asked = partial(client.list_partition_offsets, {place: spec})
        yield f"list_partition_offsets {spec.name}", asked
    yield (
        "delete_records",
        lambda: {
            str(at): one["low_watermark"] for at, one in client.delete_records({place: 3}).items()
        },
    )


def _kafka_python_groups(client: Any, place: Any, bootstrap: str) -> Iterator[tuple[str, Attempt]]:
    from kafka import OffsetAndMetadata
    from kafka.admin import MemberToRemove
    from kafka.admin import OffsetSpec as Spec

    position = OffsetAndMetadata(5, "by hand", -1)
    yield (
        "alter_group_offsets",
        lambda: _names(client.alter_group_offsets(GROUP, {place: position})),
    )
    yield "list_group_offsets", lambda: client.list_group_offsets(GROUP)
    yield (
        "reset_group_offsets",
        lambda: client.reset_group_offsets(GROUP, {place: Spec.EARLIEST}),
    )
    yield "list_groups", lambda: sorted(map(str, client.list_groups()))
    yield (
        "describe_groups",
        lambda: [
            (name, one["group_state"], len(one["members"]))
            for name, one in client.describe_groups([GROUP]).items()
        ],
    )
    yield (
        "remove_group_members",
        lambda: client.remove_group_members(GROUP, [MemberToRemove(member_id="nobody")]),
    )
    yield (
        "delete_group_offsets",
        lambda: _names(client.delete_group_offsets(GROUP, [place])),
    )
    yield "delete_groups", lambda: _names(client.delete_groups(["nobody"]))


def _kafka_python_placement(client: Any, place: Any, node: int) -> Iterator[tuple[str, Attempt]]:
    yield (
        "elect_leaders",
        lambda: [
            (one.topic, [each.error_code for each in one.partition_result])
            for one in client.elect_leaders(
                0, {TOPIC: [0]}, raise_errors=False
            ).replica_election_results
        ],
    )
    yield (
        "alter_partition_reassignments cancel",
        lambda: _names(client.alter_partition_reassignments({place: None})),
    )
    yield (
        "alter_partition_reassignments as it is",
        lambda: _names(client.alter_partition_reassignments({place: [node]})),
    )
    yield "list_partition_reassignments", lambda: client.list_partition_reassignments()
    yield (
        "describe_log_dirs",
        lambda: [
            (one["error_code"], len(one["topics"]))
            for found in client.describe_log_dirs([TOPIC])
            for one in (found["results"] if "results" in found else found["log_dirs"])
        ],
    )
    yield (
        "alter_replica_log_dirs",
        lambda: [
            getattr(one, "__name__", one)
            for one in client.alter_replica_log_dirs({(TOPIC, 0, node): "/nowhere"}).values()
        ],
    )
    yield (
        "describe_features",
        lambda: {
            name: (one["supported"][0], one.get("finalized"))
            for name, one in sorted(client.describe_features().items())
        },
    )
    yield (
        "update_features",
        lambda: client.update_features({"no.such.feature": 1}, validate_only=True),
    )
    yield (
        "describe_metadata_quorum",
        lambda: [
            (one["error"], len(one["current_voters"]))
            for topic in client.describe_metadata_quorum()["topics"]
            for one in topic["partitions"]
        ],
    )


def _kafka_python_security(client: Any) -> Iterator[tuple[str, Attempt]]:
    from kafka.admin import (
        ACL,
        ACLFilter,
        ACLOperation,
        ACLPermissionType,
        ResourcePattern,
    )
    from kafka.admin import ResourceType as Type
    from kafka.admin import ScramMechanism as Mechanism
    from kafka.admin import UserScramCredentialDeletion as Deletion
    from kafka.admin import UserScramCredentialUpsertion as Upsertion

    rule = ACL(
        "User:ann",
        "*",
        ACLOperation.READ,
        ACLPermissionType.ALLOW,
        ResourcePattern(Type.TOPIC, TOPIC),
    )
    every = ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, rule.resource_pattern)
    yield "create_acls", lambda: client.create_acls([rule])
    yield "describe_acls", lambda: client.describe_acls(every)
    yield "delete_acls", lambda: client.delete_acls([every])
    yield (
        "alter_user_scram_credentials",
        lambda: {
            name: error is None
            for name, error in sorted(
                client.alter_user_scram_credentials(
                    [
                        Upsertion("ann", Mechanism.SCRAM_SHA_256, "secret", iterations=8192),
                        Deletion("nobody", Mechanism.SCRAM_SHA_512),
                    ]
                ).items()
            )
        },
    )
    time.sleep(SETTLE_SECONDS)
    yield (
        "describe_user_scram_credentials",
        lambda: client.describe_user_scram_credentials(),
    )


def _kafka_python_transactions(client: Any, bootstrap: str) -> Iterator[tuple[str, Attempt]]:
    from kafka import KafkaProducer
    from kafka import TopicPartition as Place
    from kafka.admin import AbortTransactionSpec

    place = Place(TOPIC, 1)
    producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id="payments")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(TOPIC, b"open", partition=1).get(PATIENCE_SECONDS)

    def abort() -> object:
        (state,) = client.describe_producers([place])[place].active_producers
        spec = AbortTransactionSpec(place, state.producer_id, state.producer_epoch)
        return client.abort_transaction(spec)

    yield (
        "list_transactions",
        lambda: [
            (one.transactional_id, one.state.value)
            for listed in client.list_transactions().values()
            for one in listed
        ],
    )
    yield (
        "describe_transactions",
        lambda: [
            (name, one.state.value, one.transaction_timeout_ms)
            for name, one in client.describe_transactions(["payments"]).items()
        ],
    )
    yield (
        "describe_producers",
        lambda: [
            (one.last_sequence, one.current_transaction_start_offset)
            for one in client.describe_producers([place])[place].active_producers
        ],
    )
    yield "find_hanging_transactions", lambda: client.find_hanging_transactions()
    yield "abort_transaction", abort
    producer.close(timeout=0)


CLIENTS: Final = {"librdkafka": by_librdkafka, "kafka-python": by_kafka_python}

if __name__ == "__main__":
    print("\n".join(CLIENTS[sys.argv[1]](sys.argv[2])))
