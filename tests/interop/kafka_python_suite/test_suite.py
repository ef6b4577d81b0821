"""kafka-python's own integration tests against one broker, from its source distribution.

`allowed.txt` names the tests that pass; it only grows. Why the others are not in it stands in
FINDINGS.md. `make kafka-python-suite` fetches the sources.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.broker_process import BrokerProcess
from tests.support.free_ports import free_port
from tests.support.suite_runs import SuiteRun, SuiteRuns

HERE: Final = Path(__file__).parent
FETCHED: Final = Path(os.environ.get("OTTLA_KAFKA_PYTHON", HERE.parents[2] / ".kafka-python"))
SOURCES: Final = next(iter(FETCHED.glob("kafka_python-*/")), FETCHED / "missing")
SECONDS_MAX: Final = 60
"""Of one test; the slowest takes six seconds."""

SETTINGS: Final = {
    "node.id": "0",  # its tests assign replicas to this node
    "num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",  # its consumers ask for three seconds
}

pytestmark = [
    pytest.mark.interop,
    # It waits for one that was started before it, and then for itself.
    pytest.mark.timeout(2 * SECONDS_MAX + 20),
    pytest.mark.skipif(
        not (SOURCES / "complete").exists(),
        reason=f"no tests of kafka-python in {FETCHED}: run `make kafka-python-suite`, or name a "
        "folder by OTTLA_KAFKA_PYTHON",
    ),
]


def allowed() -> list[str]:
    """The lines of `allowed.txt`: one or several file::test, relative to the suite's folder."""
    lines = (HERE / "allowed.txt").read_text().splitlines()
    return [name for line in lines if (name := line.partition("#")[0].strip())]


@pytest.fixture(scope="module")
def broker() -> Iterator[BrokerProcess]:
    """One broker for all of them, with its address in its settings, as one test asks for."""
    address = f"127.0.0.1:{free_port()}"
    settings = SETTINGS | {"advertised.listeners": f"PLAINTEXT://{address}"}
    options = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    with BrokerProcess(*options, listen=[address]) as broker:
        yield broker


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest,
    broker: BrokerProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SuiteRuns]:
    """Every chosen test, begun in the order in which pytest will ask for them."""
    chosen = [
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == Path(__file__)
    ]
    logs = tmp_path_factory.mktemp("logs")
    with SuiteRuns(
        [run_of(name, broker, logs / f"{number}.log") for number, name in enumerate(chosen)]
    ) as runs:
        yield runs


def run_of(name: str, broker: BrokerProcess, log: Path) -> SuiteRun:
    """How the tests of a line are started: by pytest, without what we have set for our own."""
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"),
        *("-W", "ignore", "-o", "addopts="),
        *(f"test/integration/{test}" for test in name.split()),
    ]
    environment = {
        "KAFKA_URI": f"kafka://{broker.bootstrap}",
        "KAFKA_VERSION": "4.3.0",
        "KAFKA_ROOT": str(SOURCES),  # any folder: where there is an Apache Kafka to start
        "PYTEST_ADDOPTS": "",
    }
    return SuiteRun(name, command, SOURCES, log, SECONDS_MAX, environment)


@pytest.mark.parametrize("name", allowed())
def test_passes(name: str, runs: SuiteRuns, broker: BrokerProcess) -> None:
    ended = runs.wait_for(name)
    assert ended.exit_code == 0, ended.last_words()
    assert f"{len(name.split())} passed" in ended.told(), f"it did not run: {ended.last_words()}"
    assert broker.running
