"""Every operation that other admin clients have: this broker answers each as Apache Kafka does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

RUN_SECONDS_MAX: Final = 120
ROOT: Final = Path(__file__).parents[2]
SETTINGS: Final = """
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""

NOT_SERVED: Final = {
    name: f"{name}: {said}"
    for name, said in (
        ("describeShareGroups", "{shared=! UnsupportedVersionException}"),
        ("listShareGroupOffsets", "! UnsupportedVersionException"),
        ("alterShareGroupOffsets", "! UnsupportedVersionException"),
        ("deleteShareGroupOffsets", "! UnsupportedVersionException"),
        ("describeStreamsGroups", "{shared=! UnsupportedVersionException}"),
    )
}
"""What this broker has no API for, and so says: groups that share records, and those of Streams."""

NO_SUCH_GROUP: Final = {
    name: f"{name}: {{{group}=! GroupIdNotFoundException}}"
    for name, group in (("deleteShareGroups", "shared"), ("deleteStreamsGroups", "streamed"))
}
"""These ask for groups by name, of which there are none."""

FIXED_VOTERS: Final = {
    f"{name}: ! UnsupportedVersionException" for name in ("addRaftVoter", "removeRaftVoter")
}
"""Apache Kafka says so too, where its voters stand in its settings."""


HERE: Final = Path(__file__).parent
PYTHON: Final = (sys.executable, "-X", "faulthandler", "-m", "tests.interop.admin_operations")
JAVA: Final = ("java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", CLASS_PATH)
CLIENTS: Final = (
    pytest.param((*PYTHON, "librdkafka"), id="librdkafka"),
    pytest.param((*PYTHON, "kafka-python"), id="kafka-python"),
    pytest.param((*JAVA, str(HERE / "java" / "AdminOperations.java")), id="java", marks=needs_java),
)
"""Programs that take the address of a broker."""


class Answers(NamedTuple):
    """What one client was told by a broker of ours, and how to ask another broker the same."""

    ours: list[str]
    program: tuple[str, ...]


@pytest.fixture(scope="module", params=CLIENTS)
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    with BrokerProcess(folder=tmp_path_factory.mktemp("broker")) as broker:
        return Answers(lines(request.param, broker.bootstrap), request.param)


def lines(program: tuple[str, ...], bootstrap: str) -> list[str]:
    """What a program prints."""
    told = subprocess.run(
        [*program, bootstrap],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=RUN_SECONDS_MAX,
    )
    return told.stdout.splitlines()


def test_every_operation_is_answered(answers: Answers) -> None:
    assert answers.ours[-1] == "not tried: []"
    assert not [line for line in answers.ours if "Timeout" in line or "_TIMED_OUT" in line]
    unserved = {line for line in answers.ours if "UnsupportedVersion" in line}
    assert unserved <= {*NOT_SERVED.values(), *FIXED_VOTERS}


@needs_java
def test_apache_kafka_answers_the_same(answers: Answers, tmp_path: Path) -> None:
    with KafkaProcess(tmp_path, tmp_path / "data", settings=SETTINGS) as kafka:
        theirs = lines(answers.program, kafka.bootstrap)
    ours_instead = {**NOT_SERVED, **NO_SUCH_GROUP}
    assert answers.ours == [ours_instead.get(line.partition(":")[0], line) for line in theirs]
