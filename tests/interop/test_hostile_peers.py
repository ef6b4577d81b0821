"""Peers that send nonsense beside a client that works: it notices nothing, and neither do we."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message, Producer

from tests.clients.admin import Admin
from tests.clients.confluent import ConfluentClient
from tests.clients.contract import Stored
from tests.support.broker_process import BrokerProcess
from tests.support.hostile_peers import BROKEN_BATCH_TOPIC, HostilePeers
from tests.support.waiting import wait_until

REBALANCE_SECONDS_MAX = 90
SEED = 20_260_726
PEERS = 4
SEND_EVERY_SECONDS = 0.005
LATENCY_SECONDS_MAX = 5.0
LATENCY_SECONDS_MEDIAN = 0.1
MEMORY_GROWTH_MAX = 200_000_000
"""The read budget of 128 MiB, and room for what logs and answers take."""
CLOSED = re.compile(r" warning \S+ closed a connection: .+ peer=127\.0\.0\.1:(\d+)$", re.MULTILINE)


class SteadyClient:
    """Produces and consumes beside whatever else goes on; the consumer is a thread of its own."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.latencies: list[float] = []
        self.errors: list[KafkaError] = []
        self.read: list[Stored] = []
        self.memory_max = 0
        self._broker = broker
        self._client = ConfluentClient()
        self._sent = 0
        self._done = threading.Event()
        self._reader = threading.Thread(target=self._read_all)

    @property
    def complaints(self) -> list[str]:
        return self._client.complaints

    def work(self, seconds: float) -> None:
        """Produce a record every few milliseconds, then wait until all were read."""
        producer = self._client.producer(self._broker.bootstrap, {"linger.ms": 0, "acks": "all"})
        self._reader.start()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            next_send = time.monotonic() + SEND_EVERY_SECONDS
            self._send(producer)
            while (left := next_send - time.monotonic()) > 0:
                producer.poll(left)
            self.memory_max = max(self.memory_max, self._broker.resident_bytes())
        assert producer.flush(30) == 0
        self._done.set()
        self._reader.join(30)
        assert not self._reader.is_alive()

    def _send(self, producer: Producer) -> None:
        started = time.monotonic()

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                self.errors.append(error)
            self.latencies.append(time.monotonic() - started)

        producer.produce("steady", b"%d" % self._sent, on_delivery=delivered)
        self._sent += 1

    def _read_all(self) -> None:
        with self._client.reader(self._broker.bootstrap, "steady") as reader:
            while not self._done.is_set() or len(self.read) < self._sent:
                self.read += reader.poll(0.1)

    def check(self) -> None:
        """Nothing was lost, nothing was late, nobody complained."""
        assert self.errors == []
        assert self.complaints == []
        assert [record.value for record in self.read] == [b"%d" % n for n in range(self._sent)]
        assert [record.offset for record in self.read] == list(range(self._sent))
        assert statistics.median(self.latencies) < LATENCY_SECONDS_MEDIAN
        assert max(self.latencies) < LATENCY_SECONDS_MAX


def open_sockets(broker: BrokerProcess) -> int:
    """How many the broker has; 0 where the system does not tell."""
    count = 0
    for entry in Path(f"/proc/{broker.pid}/fd").glob("*"):
        try:
            count += str(entry.readlink()).startswith("socket:")
        except FileNotFoundError:  # closed while we look
            continue
    return count


def check_log(broker: BrokerProcess, hostile: HostilePeers) -> None:
    """Every connection that the broker ended has one line that says why."""
    log = broker.log()
    assert "Traceback" not in log
    assert not re.search(r" (error|critical) ", log)
    told = Counter(int(port) for port in CLOSED.findall(log))
    ended = Counter(meeting.port for meeting in hostile.meetings if meeting.broker_closed)
    met = Counter(meeting.port for meeting in hostile.meetings)
    assert ended.total() > len(hostile.meetings) / 10 > 10
    assert not ended - told, "the broker ended connections without a word"
    # Some peers left before they could see that they were closed; none was told of twice.
    assert all(told[port] <= met[port] for port in met)


def live_beside_hostile_peers(broker: BrokerProcess, seconds: float) -> None:
    for topic in ("steady", BROKEN_BATCH_TOPIC):
        Admin(broker.bootstrap).create(topic)
    idle_sockets, idle_memory = open_sockets(broker), broker.resident_bytes()
    hostile = HostilePeers((broker.host, broker.port), seed=SEED, peers=PEERS)
    steady = SteadyClient(broker)
    hostile.start()
    try:
        steady.work(seconds)
    finally:
        hostile.stop()
    steady.check()
    assert steady.memory_max < idle_memory + MEMORY_GROWTH_MAX
    check_log(broker, hostile)
    # Whoever waits for a rebalance is answered, and then found gone, when others' sessions end.
    wait_until(
        lambda: open_sockets(broker) <= idle_sockets,
        "the sockets are closed",
        seconds=REBALANCE_SECONDS_MAX,
    )
    broker.restart()
    stored = ConfluentClient().consume(broker.bootstrap, "steady", len(steady.read))
    assert stored == steady.read
    # No name of a topic led out of the data directory.
    assert {path.name for path in broker.folder.iterdir()} == {"data", "stderr"}


def test_hostile_peers_for_a_while(broker: BrokerProcess) -> None:
    live_beside_hostile_peers(broker, 5)


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_hostile_peers_for_a_minute(broker: BrokerProcess) -> None:
    live_beside_hostile_peers(broker, 60)
