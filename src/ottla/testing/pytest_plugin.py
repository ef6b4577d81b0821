"""A broker and topics for tests that use pytest. Loaded by pytest itself, in every run.

    def test_orders(ottla_broker, ottla_topic):
        producer = Producer({"bootstrap.servers": ottla_broker.bootstrap})

`ottla_broker` starts when the first test wants it, serves all of them and is gone at the end. A
test that stops it, or lets requests fail, leaves a running and faultless one to the next test.
`ottla_memory_broker` is the same without a socket, for Ottla's own clients:

    async def test_orders(ottla_memory_broker, ottla_topic):
        broker = ottla_memory_broker
        async with Producer(broker.bootstrap, connector=broker.connector) as producer: ...

Every run of every user imports this file: nothing heavy is imported before a broker is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from ottla.testing.broker import Form, TemporaryBroker

FORM: Final = "ottla_broker_form"
SETTINGS: Final = "ottla_broker_settings"
BROKER_MARK: Final = "ottla_broker"
MEMORY_BROKER: Final = "ottla_memory_broker"
TOPIC_MARK: Final = "ottla_topic"
LOG_CHARACTERS_SHOWN: Final = 20_000
_NAME_LENGTH_MAX: Final = 100
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9._-]+")


class BrokerWish(NamedTuple):
    """Which broker a test wants."""

    form: Form
    settings: Mapping[str, Any]


_WISHES: Final = pytest.StashKey[dict[str, BrokerWish]]()
"""Wishes by what is in them: pytest shares a broker among tests whose wish is the same object."""
_RUNNING: Final[pytest.StashKey[list[tuple[str, TemporaryBroker]]]] = pytest.StashKey()
_LOG_BEFORE: Final[pytest.StashKey[dict[TemporaryBroker, int]]] = pytest.StashKey()

# -- settings of the test run ----------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """For pytest."""
    parser.addini(
        FORM,
        default="thread",
        help="Form of the fixture ottla_broker: thread (in this process), process or memory.",
    )
    parser.addini(
        SETTINGS,
        type="linelist",
        default=[],
        help="Settings of the fixtures' brokers, one KEY=VALUE a line, by their Kafka names.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """For pytest."""
    config.addinivalue_line(
        "markers",
        f"{BROKER_MARK}(settings, *, form, **settings): the broker that this test wants of "
        "ottla_broker; dots in names of settings may be written as _",
    )
    config.addinivalue_line(
        "markers",
        f"{TOPIC_MARK}(partitions, **configs): the topic that this test wants of ottla_topic; "
        "dots in names of configs are written as _",
    )
    config.stash[_WISHES] = {}
    config.stash[_RUNNING] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests with a marker their broker: the fixture serves one wish at a time."""
    names = metafunc.fixturenames
    if TOPIC_MARK in names and not {BROKER_MARK, MEMORY_BROKER} & set(names):
        names.append(BROKER_MARK)  # a topic is on the broker that the test wants, or on this one
    marks = list(metafunc.definition.iter_markers(BROKER_MARK))
    if marks and BROKER_MARK in names:
        _share(metafunc, BROKER_MARK, _wish_of(metafunc.config, marks))
    if marks and MEMORY_BROKER in names:
        _share(metafunc, MEMORY_BROKER, _in_memory(_wish_of(metafunc.config, marks)))


def _share(metafunc: pytest.Metafunc, fixture: str, wish: BrokerWish) -> None:
    """Let the fixture serve this wish, of which there is one object for all who have it."""
    names = [f"{name}={value}" for name, value in wish.settings.items()]
    label = ",".join([wish.form, *names])
    wish = metafunc.config.stash[_WISHES].setdefault(label, wish)
    metafunc.parametrize(fixture, [wish], indirect=True, scope="session", ids=[label])


def _in_memory(wish: BrokerWish) -> BrokerWish:
    return wish._replace(form="memory")


def _wish_of(config: pytest.Config, marks: list[pytest.Mark]) -> BrokerWish:
    """What the run says, and over it the markers, the nearest to the test last."""
    form: Form = config.getini(FORM)
    settings = dict(_assignment(line) for line in config.getini(SETTINGS))
    for mark in reversed(marks):
        named = dict(mark.kwargs)
        form = named.pop("form", form)
        for given in mark.args:
            settings.update(given)
        settings.update(_dotted(named))
    return BrokerWish(form, settings)


def _assignment(line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals:
        raise pytest.UsageError(f"{SETTINGS} takes KEY=VALUE, as num.partitions=8, not {line!r}")
    return name.strip(), value.strip()


def _dotted(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in named.items()}


# -- fixtures --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def ottla_broker(request: pytest.FixtureRequest) -> Iterator[TemporaryBroker]:
    """A broker for all tests: see `ottla.testing.broker.TemporaryBroker`."""
    yield from _serve(request, getattr(request, "param", None) or _wish_of(request.config, []))


@pytest.fixture(scope="session")
def ottla_memory_broker(request: pytest.FixtureRequest) -> Iterator[TemporaryBroker]:
    """A broker for all tests without sockets: its `connector` is how Ottla's clients reach it."""
    wish = getattr(request, "param", None) or _in_memory(_wish_of(request.config, []))
    yield from _serve(request, wish)


def _serve(request: pytest.FixtureRequest, wish: BrokerWish) -> Iterator[TemporaryBroker]:
    from ottla.testing.broker import TemporaryBroker

    running = request.config.stash[_RUNNING]
    with TemporaryBroker(wish.settings, form=wish.form) as broker:
        entry = request.fixturename or BROKER_MARK, broker
        running.append(entry)
        try:
            yield broker
        finally:
            running.remove(entry)


@pytest.fixture
def ottla_topic(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a topic of this test alone, on the broker that it wants; deleted after it."""
    is_in_memory = MEMORY_BROKER in request.fixturenames
    broker: TemporaryBroker = request.getfixturevalue(
        MEMORY_BROKER if is_in_memory else BROKER_MARK
    )
    mark = request.node.get_closest_marker(TOPIC_MARK)
    wanted = dict(mark.kwargs) if mark else {}
    partitions = wanted.pop("partitions", mark.args[0] if mark and mark.args else 1)
    name = broker.create_topic(_topic_name(request.node.name), partitions, configs=_dotted(wanted))
    yield name
    _recover(broker)
    _delete(broker, name)


def _delete(broker: TemporaryBroker, topic: str) -> None:
    """Delete a topic, unless its test has done so."""
    from ottla.base.errors import ErrorCode, ProtocolError

    try:
        broker.delete_topic(topic)
    except ProtocolError as refused:
        if refused.code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            raise


def _topic_name(test: str) -> str:
    """A name that nobody else has, and that tells in a log whose it is."""
    import secrets

    told = _NOT_IN_NAMES.sub("-", test).strip("-.")[:_NAME_LENGTH_MAX]
    return f"{told}-{secrets.token_hex(4)}"


def _recover(broker: TemporaryBroker) -> None:
    """Undo what a test did to the broker of all tests."""
    broker.faults.clear()
    if not broker.running:
        broker.start()


# -- around each test ------------------------------------------------------------------------------


def _brokers_of(item: pytest.Item) -> list[TemporaryBroker]:
    """The brokers that run, as far as this test has to do with them."""
    names = getattr(item, "fixturenames", ())
    return [broker for fixture, broker in item.config.stash[_RUNNING] if fixture in names]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Remember where the test's part of the log begins."""
    for broker in _brokers_of(item):
        item.stash.setdefault(_LOG_BEFORE, {})[broker] = len(broker.log())
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Leave a running and faultless broker to the next test."""
    result = yield
    for broker in _brokers_of(item):
        _recover(broker)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the broker told during the test to the report of its failure."""
    report = yield
    if report.failed:
        for broker in _brokers_of(item):
            told = broker.log()[item.stash.get(_LOG_BEFORE, {}).get(broker, 0) :]
            if told:
                report.sections.append(("log of ottla_broker", told[-LOG_CHARACTERS_SHOWN:]))
    return report
