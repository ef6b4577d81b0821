"""This machine's own package log and package list: in, through a `kill -9`, and out again.

Two clients write every line; the broker is killed as soon as the last one is acknowledged; every
client then finds every line, in order.
"""

from __future__ import annotations

import itertools
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.admin import Admin
from tests.clients.catalogue import NAMES, why_missing
from tests.clients.contract import Record
from tests.interop.conftest import ClientFinder
from tests.support.broker_process import BrokerProcess

PACKAGE_FILES = {"package-log": Path("/var/log/dpkg.log"), "packages": Path("/var/lib/dpkg/status")}
ANY_LARGE_TEXT = Path(sysconfig.get_path("stdlib")) / "pydoc_data" / "topics.py"
FILES = PACKAGE_FILES
if not any(path.is_file() for path in PACKAGE_FILES.values()):
    FILES = {"python-help": ANY_LARGE_TEXT}

PRODUCERS = ("kcat", "confluent-kafka")
SEGMENT_BYTES = 1 << 20
"""The least that is allowed, so that a long file fills more than one segment."""


def lines_of(name: str) -> list[Record]:
    """The lines of a file, each with its number as the key: that way empty ones count, too."""
    if not FILES[name].is_file():
        pytest.skip(f"this machine has no {FILES[name]}")
    lines = FILES[name].read_bytes().split(b"\n")
    return [Record(line, key=b"%d" % number) for number, line in enumerate(lines)]


class Library:
    """A broker, and the files that are in it; each goes in once."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.broker = broker
        self._admin = Admin(broker.bootstrap)
        self._taken: set[str] = set()

    def take_in(self, name: str, producer: str, client_named: ClientFinder) -> str:
        """The topic that holds the file, written through a kill and a restart."""
        topic = f"{name}-by-{producer}"
        if topic not in self._taken:
            client, lines = client_named(producer), lines_of(name)
            self._admin.create(topic, segment_bytes=SEGMENT_BYTES)
            client.produce(self.broker.bootstrap, topic, lines)
            self.broker.kill()
            self.broker.start()
            self._taken.add(topic)
        return topic


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with BrokerProcess(folder=tmp_path_factory.mktemp("library")) as broker:
        yield Library(broker)
        assert broker.stop() == 0
        assert "Traceback" not in broker.log()


@pytest.mark.parametrize("reader", NAMES)
@pytest.mark.parametrize("producer", PRODUCERS)
@pytest.mark.parametrize("name", FILES)
def test_every_line_survives_a_kill_and_comes_back_in_order(
    name: str, producer: str, reader: str, library: Library, client_named: ClientFinder
) -> None:
    client, lines = client_named(reader), lines_of(name)
    topic = library.take_in(name, producer, client_named)
    stored = client.consume(library.broker.bootstrap, topic, len(lines))
    assert [record.offset for record in stored] == list(range(len(lines)))
    assert [(record.key, record.value) for record in stored] == [
        (line.key, line.value) for line in lines
    ]


def test_what_is_tested_here_is_not_nothing() -> None:
    readable = [name for name, path in FILES.items() if path.is_file()]
    assert sum(len(lines_of(name)) for name in readable) > 1000
    assert any(why_missing(name) is None for name in itertools.chain(PRODUCERS, NAMES))
