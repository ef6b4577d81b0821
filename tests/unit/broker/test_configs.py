"""Configurations over the wire: changed, replaced, listed and described."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.limits import (
    CONFIG_RESOURCES_DESCRIBED_MAX,
    CONFIG_RESOURCES_DESCRIBED_PER_TURN,
)
from ottla.broker.apis import describe_configs
from ottla.broker.broker import Broker
from ottla.broker.config_descriptions import Description, descriptions
from ottla.broker.loggers import logger_levels
from ottla.metadata.decision import Decision
from ottla.metadata.image import ConfigResource, MetadataImage
from ottla.wire.messages.alter_configs import AlterConfigsResponse
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
)
from ottla.wire.messages.incremental_alter_configs import (
    IncrementalAlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse,
)
from ottla.wire.messages.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from ottla.wire.payloads.metadata import ConfigRecord
from tests.support.config_requests import (
    APPEND,
    BROKER,
    BROKER_LOGGER,
    CLIENT_METRICS,
    DELETE,
    GROUP,
    SET,
    TOPIC,
    Resource,
    Texts,
    altered,
    codes,
    described,
    replaced,
)
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.unit.broker.conftest import Connect, StartBroker

LOGGER = "ottla.broker.produce"
DYNAMIC_TOPIC, DYNAMIC_BROKER, DYNAMIC_DEFAULT_BROKER, STATIC_BROKER, DEFAULT = range(1, 6)


@pytest.fixture
def _levels() -> Iterator[None]:
    """Loggers are those of the process: they get back what they had."""
    loggers = [logging.getLogger(), logging.getLogger(LOGGER)]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def alter(
    client: Client, *resources: Resource, validate_only: bool = False, version: int = 1
) -> list[IncrementalAlterConfigsResourceResponse]:
    request = altered(*resources, validate_only=validate_only)
    return client.ask(request, IncrementalAlterConfigsResponse, version=version).responses


def replace(client: Client, *resources: Texts, version: int = 2) -> list[int]:
    request = replaced(*resources)
    return codes(client.ask(request, AlterConfigsResponse, version=version).responses)


def describe(
    client: Client, kind: int, name: str, keys: list[str] | None = None
) -> dict[str, DescribeConfigsResourceResult]:
    response = client.ask(described(kind, name, keys), DescribeConfigsResponse, version=4)
    (result,) = response.results
    assert result.error_code == ErrorCode.NONE, result
    return {config.name: config for config in result.configs}


def listed(client: Client, *kinds: int, version: int = 1) -> tuple[int, list[tuple[int, str]]]:
    request = ListConfigResourcesRequest(resource_types=list(kinds))
    response = client.ask(request, ListConfigResourcesResponse, version=version)
    return response.error_code, [
        (found.resource_type, found.resource_name) for found in response.config_resources
    ]


# -- altering --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1])
def test_a_key_is_changed_and_the_others_stay(
    broker: MemoryBroker, client: Client, version: int
) -> None:
    broker.create_topic("orders", flush_ms="7000")
    change: Resource = (TOPIC, "orders", [("retention.ms", SET, "5000")])
    assert codes(alter(client, change, version=version)) == [0]
    told = describe(client, TOPIC, "orders", ["retention.ms", "flush.ms"])
    assert {name: config.value for name, config in told.items()} == {
        "retention.ms": "5000",
        "flush.ms": "7000",
    }


@pytest.mark.parametrize("version", [0, 1, 2])
def test_alter_configs_replaces_all_that_was_set(
    broker: MemoryBroker, client: Client, version: int
) -> None:
    broker.create_topic("orders", flush_ms="7000")
    assert replace(client, (TOPIC, "orders", [("retention.ms", "5000")]), version=version) == [0]
    told = describe(client, TOPIC, "orders")
    assert told["retention.ms"].config_source == DYNAMIC_TOPIC
    assert told["flush.ms"].config_source == DEFAULT
    assert replace(client, (TOPIC, "orders", []), version=version) == [0]
    assert describe(client, TOPIC, "orders")["retention.ms"].config_source == DEFAULT


def test_what_is_only_validated_does_not_change(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    good: Resource = (TOPIC, "orders", [("retention.ms", SET, "5000")])
    bad: Resource = (TOPIC, "orders", [("retention.ms", SET, "soon")])
    assert codes(alter(client, good, validate_only=True)) == [0]
    assert codes(alter(client, bad, validate_only=True)) == [ErrorCode.INVALID_CONFIG]
    assert describe(client, TOPIC, "orders")["retention.ms"].config_source == DEFAULT


def test_each_resource_has_its_own_answer_in_the_order_of_the_request(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    answers = alter(
        client,
        (BROKER_LOGGER, "1", [("nosuch", SET, "INFO")]),
        (TOPIC, "orders", [("retention.ms", SET, "5000")]),
        (BROKER, "2", [("log.retention.ms", SET, "1")]),
        (TOPIC, "nosuch", []),
        (77, "x", []),
        (CLIENT_METRICS, "slow", [("interval.ms", SET, "1000")]),
    )
    assert [(answer.resource_type, answer.resource_name) for answer in answers] == [
        (BROKER_LOGGER, "1"),
        (TOPIC, "orders"),
        (BROKER, "2"),
        (TOPIC, "nosuch"),
        (77, "x"),
        (CLIENT_METRICS, "slow"),
    ]
    assert codes(answers) == [
        ErrorCode.INVALID_CONFIG,
        ErrorCode.NONE,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.NONE,
    ]


@pytest.mark.parametrize(("kind", "name"), [(TOPIC, "orders"), (BROKER_LOGGER, "1")])
def test_a_resource_that_is_named_twice_is_refused_each_time(
    broker: MemoryBroker, client: Client, kind: int, name: str
) -> None:
    broker.create_topic("orders")
    assert codes(alter(client, (kind, name, []), (kind, name, []), (BROKER, "1", []))) == [
        ErrorCode.INVALID_REQUEST,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.NONE,
    ]


def test_a_broker_answers_for_no_other_one(make_broker: StartBroker, connect: Connect) -> None:
    broker = make_broker()
    broker.add_broker(2)
    client = connect(broker.start())
    (answer,) = alter(client, (BROKER, "2", [("log.retention.ms", SET, "1")]))
    assert answer.error_code == ErrorCode.INVALID_REQUEST
    assert "node 1" in str(answer.error_message)


def test_a_disk_that_takes_no_records_is_told_of_each_resource(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    broker.disk.fail("append", "__cluster_metadata-0", errno.ENOSPC)
    answers = alter(client, (TOPIC, "orders", [("retention.ms", SET, "5000")]), (BROKER, "1", []))
    assert codes(answers) == [ErrorCode.KAFKA_STORAGE_ERROR] * 2


def test_the_smallest_number_of_replicas_cannot_be_replaced_away(client: Client) -> None:
    assert replace(client, (BROKER, "", [("log.retention.ms", "9000")])) == [
        ErrorCode.INVALID_CONFIG
    ]
    both = [("log.retention.ms", "9000"), ("min.insync.replicas", "1")]
    assert replace(client, (BROKER, "", list(both))) == [0]


# -- describing ------------------------------------------------------------------------------------


def test_every_layer_is_a_synonym_in_its_order(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders", retention_ms="1")
    change = ("log.retention.ms", SET, "2")
    assert codes(alter(client, (BROKER, "1", [change]))) == [0]
    assert codes(alter(client, (BROKER, "", [("log.retention.ms", SET, "3")]))) == [0]
    config = describe(client, TOPIC, "orders")["retention.ms"]
    assert [(place.name, place.value, place.source) for place in config.synonyms] == [
        ("retention.ms", "1", DYNAMIC_TOPIC),
        ("log.retention.ms", "2", DYNAMIC_BROKER),
        ("log.retention.ms", "3", DYNAMIC_DEFAULT_BROKER),
        ("log.retention.hours", "168", DEFAULT),
    ]
    assert describe(client, BROKER, "1")["log.retention.ms"].config_source == DYNAMIC_BROKER


def test_no_broker_by_name_means_what_is_set_for_all(client: Client) -> None:
    alter(client, (BROKER, "", [("log.retention.ms", SET, "3")]))
    told = describe(client, BROKER, "")
    assert set(told) == {"log.retention.ms", "min.insync.replicas"}
    (place,) = told["log.retention.ms"].synonyms
    assert (place.value, place.source) == ("3", DYNAMIC_DEFAULT_BROKER)
    assert not told["log.retention.ms"].read_only


def test_no_keys_ask_for_all_as_null_does(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    assert describe(client, TOPIC, "orders", []) == describe(client, TOPIC, "orders", None) != {}


def test_a_text_for_all_that_is_refused_here_is_told_all_the_same(
    broker: MemoryBroker, client: Client
) -> None:
    write(broker, ("", "log.retention.ms", "soon"))
    config = describe(client, BROKER, "")["log.retention.ms"]
    assert (config.value, config.config_source) == ("soon", DYNAMIC_DEFAULT_BROKER)
    assert describe(client, BROKER, "1")["log.retention.ms"].value != "soon"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of resources, as they are described."""
    seen: list[str] = []

    def noted(resource: ConfigResource, broker: Broker) -> Iterator[Description]:
        seen.append(resource.name)
        return descriptions(resource, broker)

    monkeypatch.setattr(describe_configs, "descriptions", noted)
    return seen


def test_a_resource_is_told_once_however_often_it_is_named(client: Client, told: list[str]) -> None:
    request = described(BROKER, "1", ["num.partitions"])
    request.resources += described(BROKER, "1", ["log.dirs"]).resources
    request.resources *= 1000
    (result,) = client.ask(request, DescribeConfigsResponse, version=4).results
    assert {config.name for config in result.configs} == {"num.partitions", "log.dirs"}
    request.resources += described(BROKER, "1", []).resources
    (result,) = client.ask(request, DescribeConfigsResponse, version=4).results
    assert len(result.configs) > 100
    assert told == ["1", "1"]


def groups(count: int) -> DescribeConfigsRequest:
    return DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(
                resource_type=GROUP, resource_name=str(number), configuration_keys=None
            )
            for number in range(count)
        ]
    )


def test_what_can_be_named_without_being_there_is_bounded(client: Client, told: list[str]) -> None:
    request = groups(CONFIG_RESOURCES_DESCRIBED_MAX + 1)
    results = client.ask(request, DescribeConfigsResponse, version=4).results
    assert {result.error_code for result in results} == {ErrorCode.INVALID_REQUEST}
    assert len(results) == len(request.resources)
    assert told == []


def test_others_are_served_while_many_resources_are_told(
    broker: MemoryBroker, client: Client, told: list[str]
) -> None:
    def others() -> None:
        if len(told) < 2 * CONFIG_RESOURCES_DESCRIBED_PER_TURN:
            told.append("others")
            broker.loop.call_soon(others)

    broker.loop.call_soon(others)
    client.ask(groups(2 * CONFIG_RESOURCES_DESCRIBED_PER_TURN), DescribeConfigsResponse, version=4)
    assert "others" in told[CONFIG_RESOURCES_DESCRIBED_PER_TURN:]


def test_a_setting_of_another_version_is_told_and_its_value_hidden(
    broker: MemoryBroker, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    write(broker, ("1", "ssl.secret", "open sesame"), ("1", "num.partitions", "9"))
    config = describe(client, BROKER, "1")["ssl.secret"]
    assert (config.value, config.is_sensitive, config.read_only) == (None, True, True)
    assert [place.value for place in config.synonyms] == [None]
    assert describe(client, BROKER, "1")["num.partitions"].value == "1"
    assert "have no effect here" in caplog.text


def test_a_topics_setting_that_is_refused_here_is_told_as_not_set(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    write(broker, ("orders", "segment.bytes", "65536"), kind=TOPIC)
    told = describe(client, TOPIC, "orders")["segment.bytes"]
    assert (told.value, told.config_source) == ("1073741824", DEFAULT)
    assert codes(alter(client, (TOPIC, "orders", [("retention.ms", SET, "5")]))) == [40]
    assert codes(alter(client, (TOPIC, "orders", [("segment.bytes", DELETE, None)]))) == [0]


def write(broker: MemoryBroker, *configs: tuple[str, str, str], kind: int = BROKER) -> None:
    """Settings as a log has them that Kafka, or another version, wrote."""
    records = tuple(
        ConfigRecord(resource_type=kind, resource_name=name, name=key, value=value)
        for name, key, value in configs
    )

    def decide(image: MetadataImage) -> Decision[None]:
        return Decision(records, None)

    broker.loop.finish(broker.broker.metadata._submit(decide))


def test_a_subscription_has_defaults_and_what_is_set(client: Client) -> None:
    alter(client, (CLIENT_METRICS, "slow", [("interval.ms", SET, "1000")]))
    told = {
        name: (config.value, config.config_source, len(config.synonyms))
        for name, config in describe(client, CLIENT_METRICS, "slow").items()
    }
    assert told == {"interval.ms": ("1000", 7, 1), "match": ("", 5, 0), "metrics": ("", 5, 0)}
    assert describe(client, CLIENT_METRICS, "nosuch")["interval.ms"].value == "300000"


def test_a_group_has_the_settings_of_its_broker_and_its_own(client: Client) -> None:
    alter(client, (GROUP, "g", [("consumer.session.timeout.ms", SET, "50000")]))
    config = describe(client, GROUP, "g")["consumer.session.timeout.ms"]
    assert (config.value, config.config_source) == ("50000", 8)
    assert [(place.name, place.source) for place in config.synonyms] == [
        ("consumer.session.timeout.ms", 8),
        ("group.consumer.session.timeout.ms", DEFAULT),
    ]
    assert describe(client, GROUP, "other")["consumer.session.timeout.ms"].value == "45000"


# -- loggers ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_levels")
def test_levels_of_loggers_are_set_and_deleted(broker: MemoryBroker, client: Client) -> None:
    assert codes(alter(client, (BROKER_LOGGER, "1", [(LOGGER, SET, "DEBUG")]))) == [0]
    assert logging.getLogger(LOGGER).level == logging.DEBUG
    config = describe(client, BROKER_LOGGER, "1")[LOGGER]
    assert (config.value, config.config_source, config.read_only) == ("DEBUG", 6, False)
    assert codes(alter(client, (BROKER_LOGGER, "1", [(LOGGER, DELETE, None)]))) == [0]
    assert logging.getLogger(LOGGER).level == logging.NOTSET
    assert broker.broker.metadata.image.configs.keys() == {(BROKER, "")}


@pytest.mark.usefixtures("_levels")
@pytest.mark.parametrize("level", ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"])
def test_each_level_of_kafkas_is_told_as_it_was_set(client: Client, level: str) -> None:
    assert codes(alter(client, (BROKER_LOGGER, "1", [("root", SET, level)]))) == [0]
    assert logger_levels()["root"] == level


@pytest.mark.usefixtures("_levels")
@pytest.mark.parametrize(
    ("name", "change", "error", "fact"),
    [
        ("1", ("root", SET, "NOISY"), ErrorCode.INVALID_CONFIG, "choose from TRACE"),
        ("1", ("root", SET, "debug"), ErrorCode.INVALID_CONFIG, "'debug'"),
        ("1", ("root", SET, None), ErrorCode.INVALID_REQUEST, "no value"),
        ("1", ("root", DELETE, None), ErrorCode.INVALID_REQUEST, "needs a level"),
        ("1", ("root", APPEND, "INFO"), ErrorCode.INVALID_REQUEST, "APPEND"),
        ("1", ("root", 9, "INFO"), ErrorCode.INVALID_REQUEST, "operation 9"),
        ("1", (f"{LOGGER}r", SET, "INFO"), ErrorCode.INVALID_CONFIG, f"mean {LOGGER}"),
        ("1", ("asyncio", SET, "INFO"), ErrorCode.INVALID_CONFIG, "'asyncio'"),
        ("2", ("root", SET, "INFO"), ErrorCode.INVALID_REQUEST, "node 1"),
        ("", ("root", SET, "INFO"), ErrorCode.INVALID_REQUEST, "node 1"),
    ],
)
def test_refused_levels_change_nothing(
    client: Client, name: str, change: tuple[str, int, str | None], error: ErrorCode, fact: str
) -> None:
    before = logger_levels()
    (answer,) = alter(client, (BROKER_LOGGER, name, [(LOGGER, SET, "ERROR"), change]))
    assert answer.error_code == error
    assert fact in str(answer.error_message)
    assert logger_levels() == before


@pytest.mark.usefixtures("_levels")
def test_a_level_that_is_only_validated_stays(client: Client) -> None:
    change: Resource = (BROKER_LOGGER, "1", [(LOGGER, SET, "DEBUG")])
    assert codes(alter(client, change, validate_only=True)) == [0]
    assert logging.getLogger(LOGGER).level == logging.NOTSET


def test_loggers_cannot_be_replaced_as_a_whole(client: Client) -> None:
    assert replace(client, (BROKER_LOGGER, "1", [("root", "INFO")])) == [ErrorCode.INVALID_REQUEST]


# -- listing ---------------------------------------------------------------------------------------


def test_everything_that_has_settings_is_listed(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    assert listed(client) == (0, [(TOPIC, "orders"), (BROKER, "1"), (BROKER_LOGGER, "1")])
    alter(client, (CLIENT_METRICS, "slow", [("interval.ms", SET, "1000")]))
    alter(client, (GROUP, "g", [("consumer.session.timeout.ms", SET, "50000")]))
    assert listed(client, GROUP, CLIENT_METRICS) == (0, [(GROUP, "g"), (CLIENT_METRICS, "slow")])
    assert listed(client, version=0) == (0, [(CLIENT_METRICS, "slow")])
    replace(client, (GROUP, "g", []))
    assert listed(client, GROUP) == (0, [])


@pytest.mark.parametrize("kind", [0, 1, 77])
def test_an_unknown_type_cannot_be_listed(client: Client, kind: int) -> None:
    assert listed(client, TOPIC, kind) == (ErrorCode.UNSUPPORTED_VERSION, [])
