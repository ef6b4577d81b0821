"""Real idempotent producers, while the broker is killed under them: everything once, in order."""

from __future__ import annotations

import random

import pytest
from confluent_kafka import KafkaError, Message, Producer

from tests.clients.admin import Admin
from tests.clients.confluent import ConfluentClient
from tests.support.broker_process import BrokerProcess
from tests.support.waiting import wait_until

PARTITIONS = 2
RECORDS_BETWEEN_KILLS_MAX = 3000


class Numbers:
    """A producer that sends each number until it is told that it is stored."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.delivered: set[int] = set()
        self.errors: list[str] = []
        self.sent = 0
        # Not the client whose log is listened to: it tells of every lost connection.
        self._producer = Producer(
            {
                "bootstrap.servers": broker.bootstrap,
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


def produce_under_kills(broker: BrokerProcess, kills: int) -> None:
    Admin(broker.bootstrap).create("numbers", PARTITIONS, **{"segment.bytes": 1 << 20})
    numbers, rng = Numbers(broker), random.Random()
    for _ in range(kills):
        numbers.send_until_delivered(rng.randrange(1, RECORDS_BETWEEN_KILLS_MAX))
        broker.kill()
        numbers.send_some()
        broker.start()
    numbers.send_until_delivered(1)
    numbers.finish()
    stored = ConfluentClient().consume(
        broker.bootstrap, "numbers", numbers.sent, partitions=PARTITIONS
    )
    for partition in range(PARTITIONS):
        values = [int(record.value or b"") for record in stored if record.partition == partition]
        assert values == list(range(partition, numbers.sent, PARTITIONS))


def test_nothing_comes_twice_or_out_of_order_over_three_kills(broker: BrokerProcess) -> None:
    produce_under_kills(broker, 3)


@pytest.mark.interop
def test_nothing_comes_twice_or_out_of_order_over_twenty_kills(broker: BrokerProcess) -> None:
    produce_under_kills(broker, 20)
