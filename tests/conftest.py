"""A broker for every test that wants one, and its log for every test that fails."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.support.broker_process import BrokerProcess

BrokerFactory = Callable[..., BrokerProcess]
LOG_CHARACTERS_SHOWN = 20_000
BROKERS = pytest.StashKey[list[BrokerProcess]]()


@pytest.fixture
def start_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BrokerFactory]:
    """Starts brokers as BrokerProcess takes them; they end with the test, in order and in peace."""
    brokers = request.node.stash.setdefault(BROKERS, [])
    made: list[BrokerProcess] = []

    def start(*options: str, **where: object) -> BrokerProcess:
        folder = tmp_path / f"broker-{len(made)}"
        folder.mkdir()
        broker = BrokerProcess(*options, folder=folder, **where)  # type: ignore[arg-type]  # the caller's words
        made.append(broker)
        brokers.append(broker)
        broker.start()
        return broker

    try:
        yield start
        for broker in made:
            end_in_order(broker)
    finally:
        for broker in made:
            broker.end()


@pytest.fixture
def broker(start_broker: BrokerFactory) -> BrokerProcess:
    """A broker of this test alone."""
    return start_broker()


@pytest.fixture(scope="session")
def one_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker for all tests that only add topics of their own; never stop it."""
    with BrokerProcess(folder=tmp_path_factory.mktemp("broker")) as broker:
        yield broker
        end_in_order(broker)


@pytest.fixture
def shared_broker(request: pytest.FixtureRequest, one_broker: BrokerProcess) -> BrokerProcess:
    """`one_broker`, whose log is shown when this test fails and must say nothing of a bug."""
    request.node.stash.setdefault(BROKERS, []).append(one_broker)
    assert one_broker.running
    return one_broker


def end_in_order(broker: BrokerProcess) -> None:
    """Stop a broker that still runs, and look at what it leaves behind."""
    if broker.running:
        assert broker.stop() == 0
    assert "Traceback" not in broker.log(), broker.log()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the logs of the test's brokers to the report of a failure."""
    report = yield
    if report.failed:
        for broker in item.stash.get(BROKERS, []):
            told = broker.log()[-LOG_CHARACTERS_SHOWN:]
            report.sections.append((f"log of the broker on {broker.bootstrap}", told))
    return report
