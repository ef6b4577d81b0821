"""Real idempotent producers that have to send again: everything is stored once, in order."""

from __future__ import annotations

import random

import pytest
from confluent_kafka import KafkaError, Message, Producer

from tests.clients.admin import Admin
from tests.clients.confluent import ConfluentClient
from tests.conftest import BrokerFactory
from tests.support.broker_process import BrokerProcess
from tests.support.losing_proxy import LosingProxy
from tests.support.waiting import wait_until

PARTITIONS = 2
RECORDS_BETWEEN_KILLS_MAX = 3000
LOSSES = 20


class Numbers:
    """A producer that sends each number until it is told that it is stored."""

    def __init__(self, bootstrap: str) -> None:
        self.delivered: set[int] = set()
        self.errors: list[str] = []
        self.sent = 0
        # Not the client whose log is listened to: it tells of every lost connection.
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 1,
                "batch.num.messages": 20,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 50,
                "message.timeout.ms": 60_000,
                "log_level": 0,
            }
        )

    def send_some(self) -> None:
        try:
            for _ in range(50):
                self._send(self.sent)
                self.sent += 1
        except BufferError:  # the broker is away: what waits is enough
            pass
        self._producer.poll(0.001)

    def _send(self, number: int) -> None:
        def told(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.delivered.add(number)
            else:
                self.errors.append(f"{number}: {error}")

        self._producer.produce(
            "numbers", b"%d" % number, partition=number % PARTITIONS, on_delivery=told
        )

    def send_until_delivered(self, count: int) -> None:
        aim = len(self.delivered) + count

        def is_reached() -> bool:
            self.send_some()
            return len(self.delivered) >= aim

        wait_until(is_reached, f"{count} more records are delivered", seconds=30)

    def finish(self) -> None:
        assert self._producer.flush(60) == 0
        assert self.errors == []
        assert len(self.delivered) == self.sent


def check_what_is_there(broker: BrokerProcess, numbers: Numbers) -> None:
    stored = ConfluentClient().consume(
        broker.bootstrap, "numbers", numbers.sent, partitions=PARTITIONS
    )
    for partition in range(PARTITIONS):
        values = [int(record.value or b"") for record in stored if record.partition == partition]
        assert values == list(range(partition, numbers.sent, PARTITIONS))
    assert "Traceback" not in broker.log()


def produce_under_kills(broker: BrokerProcess, kills: int) -> None:
    Admin(broker.bootstrap).create("numbers", PARTITIONS, segment_bytes=1 << 20)
    numbers, rng = Numbers(broker.bootstrap), random.Random()
    for _ in range(kills):
        numbers.send_until_delivered(rng.randrange(1, RECORDS_BETWEEN_KILLS_MAX))
        broker.kill()
        numbers.send_some()
        broker.start()
    numbers.send_until_delivered(1)
    numbers.finish()
    check_what_is_there(broker, numbers)


def test_nothing_comes_twice_or_out_of_order_over_three_kills(broker: BrokerProcess) -> None:
    produce_under_kills(broker, 3)


@pytest.mark.interop
def test_nothing_comes_twice_or_out_of_order_over_twenty_kills(broker: BrokerProcess) -> None:
    produce_under_kills(broker, 20)


def test_nothing_comes_twice_when_answers_are_lost(start_broker: BrokerFactory) -> None:
    """Each lost answer makes the client send batches again that are stored already."""
    with LosingProxy(one_in=30, seed=1) as proxy:
        broker = start_broker("--advertise", proxy.address)
        proxy.target = (broker.host, broker.port)
        Admin(broker.bootstrap).create("numbers", PARTITIONS, segment_bytes=1 << 20)
        numbers = Numbers(proxy.address)

        def are_lost() -> bool:
            numbers.send_some()
            return proxy.losses >= LOSSES

        wait_until(are_lost, "answers are lost", seconds=30)
        numbers.finish()
        proxy.is_losing = False
        check_what_is_there(broker, numbers)
