"""Kafka's command line tools say the same of our broker as of Apache Kafka, and ours say it too.

Wants a JVM and Kafka's jars (`make java`); skipped without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import end_in_order
from tests.interop.java_tools.comparison import Comparison
from tests.interop.java_tools.stories import (
    cluster,
    configs,
    groups,
    records,
    security,
    topics,
    transactions,
)
from tests.interop.java_tools.story import Side, named
from tests.support.broker_process import BrokerProcess
from tests.support.java import needs_java
from tests.support.java_tools import JavaTools
from tests.support.kafka_process import KafkaProcess
from tests.support.our_scripts import script_names

pytestmark = [needs_java, pytest.mark.interop]

STORIES: Final = named(
    module.STORIES for module in (cluster, configs, groups, records, security, topics, transactions)
)
ALIKE: Final = {
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
"""Settings of all brokers. With an authorizer there are entries of access control to change."""


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    folder = tmp_path_factory.mktemp("sides")
    kafka_folder, script_folder = folder / "kafka", folder / "script"
    for made in (kafka_folder, script_folder):
        made.mkdir()
    options = [word for key, value in ALIKE.items() for word in ("--set", f"{key}={value}")]
    data = kafka_folder / "data"
    with (
        BrokerProcess(*options) as ours,
        BrokerProcess(*options) as for_scripts,
        JavaTools() as tools,
        KafkaProcess(kafka_folder, data, settings=lines(ALIKE)) as kafka,
    ):
        yield Comparison(
            tools,
            kafka=Side("Kafka", kafka.bootstrap, str(data), folder_for(folder, "1")),
            ours=Side("ours", ours.bootstrap, str(ours.data), folder_for(folder, "2")),
            script=Side(
                "script", for_scripts.bootstrap, str(for_scripts.data), folder_for(folder, "3")
            ),
            scripts=script_names(),
        )
        for broker in (ours, for_scripts):
            end_in_order(broker)


def folder_for(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def lines(settings: dict[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in settings.items())


@pytest.mark.parametrize("name", STORIES)
def test_the_tools_say_the_same_of_our_broker(comparison: Comparison, name: str) -> None:
    differences = comparison.differences(STORIES[name])
    assert not differences, "\n".join(differences)
