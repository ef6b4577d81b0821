"""librdkafka's own test suite against one broker, two of its tests at a time.

`allowed.txt` names the tests that pass; it only grows. Why the others are not in it stands in
FINDINGS.md. `make librdkafka` builds the suite from the sources in librdkafka's npm package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from ottla.cli.scripts.installation import install
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, JARS, why_no_java
from tests.support.suite_runs import SuiteRun, SuiteRuns

HERE: Final = Path(__file__).parent
BUILT: Final = Path(os.environ.get("OTTLA_LIBRDKAFKA", HERE.parents[2] / ".librdkafka"))
SOURCES: Final = BUILT / "librdkafka"
RUNNER: Final = SOURCES / "tests" / "test-runner"
JAVA_CLIENTS: Final = SOURCES / "tests" / "java"
RUN_CLASS: Final = HERE / "kafka-run-class.sh"

SECONDS_MAX: Final = 100
"""Of a test in `make interop`; the slowest takes 50 seconds."""
SLOW_SECONDS_MAX: Final = 400
"""Of a slow one; the slowest takes three minutes and a half."""

SETTINGS: Final = {
    "num.partitions": "4",  # the suite counts on it
    # Members that subscribe at the same moment are expected to join in one rebalance.
    "group.initial.rebalance.delay.ms": "500",
    # A consumer that is not polled any more stops its heartbeats; the test waits half a minute.
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.heartbeat.interval.ms": "1000",
}
WITH_ACLS: Final = "acls"
BROKERS: Final = {
    "default": {},
    "noautocreate": {"auto.create.topics.enable": "false"},
    WITH_ACLS: {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    },
}
"""The brokers that tests want: one for each scenario, and one that keeps to ACLs."""


@dataclass(frozen=True, slots=True)
class AllowedTest:
    """A line of `allowed.txt`; its head says what the words mean."""

    name: str
    protocol: str = "classic"
    scenario: str = "default"
    subtest: str = ""
    version: str = "4.3.0"
    scripts: bool = False
    acls: bool = False
    java: bool = False
    slow: bool = False

    def __str__(self) -> str:
        return self._joined(self.name)

    @property
    def run(self) -> str:
        """The process it runs in: the suite starts all tests of a number together."""
        return self._joined(self.name[:4])

    def _joined(self, name: str) -> str:
        told = [name, self.subtest.rstrip(":").removeprefix("do_test_"), self.scenario]
        told.append("consumer" if self.protocol == "consumer" else "")
        return "-".join(word for word in told if word and word != "default")

    @property
    def broker(self) -> str:
        """Which of the brokers it runs on."""
        return WITH_ACLS if self.acls else self.scenario

    @property
    def seconds_max(self) -> int:
        return SLOW_SECONDS_MAX if self.slow else SECONDS_MAX


def allowed() -> list[AllowedTest]:
    """The tests in `allowed.txt`."""
    lines = (HERE / "allowed.txt").read_text().splitlines()
    return [read_line(words) for line in lines if (words := line.partition("#")[0].split())]


def read_line(words: list[str]) -> AllowedTest:
    """The test that a line names."""
    name, *options = words
    said = dict(option.partition("=")[::2] for option in options)
    test = AllowedTest(
        name,
        protocol=said.pop("protocol", "classic"),
        scenario=said.pop("scenario", "default"),
        subtest=said.pop("subtest", ""),
        version=said.pop("version", "4.3.0"),
        scripts=said.pop("scripts", None) is not None,
        acls=said.pop("acls", None) is not None,
        java=said.pop("java", None) is not None,
        slow=said.pop("slow", None) is not None,
    )
    assert not said, f"words that mean nothing in a line of allowed.txt: {said}"
    return test


def as_parameter(test: AllowedTest) -> object:
    """A test as pytest runs it: when, and where not, and for how long."""
    # It waits for one that was started before it, and then for itself.
    marks = [pytest.mark.timeout(SLOW_SECONDS_MAX + test.seconds_max + 60)]
    marks.append(pytest.mark.soak if test.slow else pytest.mark.interop)
    if test.java:
        marks.append(pytest.mark.skipif(bool(why_no_java()), reason=str(why_no_java())))
    return pytest.param(test, marks=marks, id=str(test))


pytestmark = pytest.mark.skipif(
    not RUNNER.exists(),
    reason=f"no test suite of librdkafka in {BUILT}: run `make librdkafka`, or name a folder "
    "by OTTLA_LIBRDKAFKA",
)


@pytest.fixture(scope="module")
def java_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite's Java clients, compiled where there is a compiler for them."""
    folder = tmp_path_factory.mktemp("java")
    shutil.copy(JAVA_CLIENTS / "run-class.sh", folder)
    if why_no_java() is None:
        sources = [str(source) for source in JAVA_CLIENTS.glob("*.java")]
        compile_them = ["javac", "-cp", CLASS_PATH, "-d", str(folder), *sources]
        subprocess.run(compile_them, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def kafka_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the suite takes for a Kafka: our scripts, and what starts its Java clients."""
    folder = tmp_path_factory.mktemp("kafka")
    install(folder / "bin", suffix=".sh", replace_others=False)
    shutil.copy(RUN_CLASS, folder / "bin")
    return folder


@pytest.fixture(scope="module")
def brokers() -> Iterator[dict[str, BrokerProcess]]:
    """As a user would start them for the suite."""
    with ExitStack() as every:
        started = {}
        for broker, more in BROKERS.items():
            settings = (SETTINGS | more).items()
            words = [word for name, value in settings for word in ("--set", f"{name}={value}")]
            started[broker] = every.enter_context(BrokerProcess(*words))
        yield started


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest,
    brokers: dict[str, BrokerProcess],
    java_folder: Path,
    kafka_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SuiteRuns]:
    """Every chosen test, begun in the order in which pytest will ask for them."""
    chosen = [
        test
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == Path(__file__)
        and isinstance(test := item.callspec.params.get("test"), AllowedTest)
        and not any(mark.args and mark.args[0] for mark in item.iter_markers("skipif"))
    ]
    first_of_run = {test.run: test for test in reversed(chosen)}
    with SuiteRuns(
        [
            run_of(
                test,
                brokers[test.broker],
                folder=tmp_path_factory.mktemp("run"),
                java_folder=java_folder,
                kafka_folder=kafka_folder,
            )
            for test in dict.fromkeys(first_of_run[test.run] for test in chosen)
        ]
    ) as runs:
        yield runs


def run_of(
    test: AllowedTest,
    broker: BrokerProcess,
    *,
    folder: Path,
    java_folder: Path,
    kafka_folder: Path,
) -> SuiteRun:
    """How one test is started, in a folder as it expects to be in."""
    (folder / "src").symlink_to(SOURCES / "src")
    here = folder / "tests"
    here.mkdir()
    (here / "java").symlink_to(java_folder)
    (here / "test.conf").write_text(
        f"bootstrap.servers={broker.bootstrap}\ntest.topic.random=true\n"
    )
    environment = {
        "TESTS": test.name,
        "TEST_SCENARIO": test.scenario,
        "TEST_KAFKA_VERSION": test.version,
        "TEST_CONSUMER_GROUP_PROTOCOL": test.protocol,
        "BROKERS": broker.bootstrap,
        "LD_LIBRARY_PATH": f"{SOURCES}/src:{SOURCES}/src-cpp",
    }
    if test.subtest:
        environment["SUBTESTS"] = test.subtest
    if test.scripts or test.java:
        environment["KAFKA_PATH"] = str(kafka_folder)
    if test.java:
        environment["OTTLA_KAFKA_JARS"] = str(JARS)
    # Without those that need no broker: they are librdkafka's alone.
    command = [str(RUNNER), "-p1", "-L"]
    return SuiteRun(test.run, command, here, folder / "log", test.seconds_max, environment)


@pytest.mark.parametrize("test", [as_parameter(test) for test in allowed()])
def test_passes(test: AllowedTest, runs: SuiteRuns, brokers: dict[str, BrokerProcess]) -> None:
    ended = runs.wait_for(test.run)
    told = ended.told()
    missing = re.search(r"RapidJSON \S+ not available|OpenSSL not available at build time", told)
    if missing:
        pytest.skip(f"librdkafka's suite was built without it: {missing[0]}")
    assert f"= Test {test.name} PASSED =" in told, ended.last_words()
    if test.subtest:
        # A name that no subtest has would pass as well.
        assert re.search(rf"\[ \w*{re.escape(test.subtest)}.*: PASS \(", told), ended.last_words()
    assert brokers[test.broker].running
