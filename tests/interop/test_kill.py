"""`kill -9` under load: what was acknowledged is there, in order, once, without holes."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from confluent_kafka import KafkaError, Message

from tests.clients.admin import Admin
from tests.clients.confluent import ConfluentClient
from tests.conftest import BrokerFactory
from tests.support.broker_process import BrokerProcess
from tests.support.waiting import wait_until

PARTITIONS = 3
ACKNOWLEDGED_BETWEEN_KILLS_MAX = 3000


class SteadyProducer:
    """Sends numbered records without a pause, each at most once: nothing is ever sent again."""

    def __init__(self, broker: BrokerProcess, topic: str) -> None:
        self.client = ConfluentClient()
        self.acknowledged: dict[int, tuple[int, int]] = {}
        self.refused: set[int] = set()
        self._topic = topic
        self._next = 0
        self._producer = self.client.producer(
            broker.bootstrap,
            {
                "acks": "all",
                "message.send.max.retries": 0,
                "enable.idempotence": False,
                "linger.ms": 1,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 50,
            },
        )

    def send_some(self) -> None:
        """Send a few records more, and hear of earlier ones."""
        with suppress(BufferError):  # the broker is away: what waits is enough
            for _ in range(20):
                self._send(self._next)
                self._next += 1
        self._producer.poll(0.001)

    def _send(self, number: int) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            partition, offset = message.partition(), message.offset()
            if error is not None:
                self.refused.add(number)
            else:
                assert partition is not None
                assert offset is not None
                self.acknowledged[number] = (partition, offset)

        self._producer.produce(
            self._topic, b"%d" % number, partition=number % PARTITIONS, on_delivery=delivered
        )

    def finish(self) -> None:
        """Hear of every record that was sent."""
        assert self._producer.flush(30) == 0
        assert len(self.acknowledged) + len(self.refused) == self._next


def produce_until_acknowledged(producer: SteadyProducer, count: int) -> None:
    """Send until this many more are acknowledged."""
    aim = len(producer.acknowledged) + count

    def is_reached() -> bool:
        producer.send_some()
        return len(producer.acknowledged) >= aim

    wait_until(is_reached, f"{count} more records are acknowledged", seconds=30)


def kill_under_load(broker: BrokerProcess, kills: int) -> None:
    Admin(broker.bootstrap).create("numbers", PARTITIONS)
    producer, rng = SteadyProducer(broker, "numbers"), random.Random()
    for _ in range(kills):
        # The moment is a random one: some requests are unanswered, some records are half written.
        produce_until_acknowledged(producer, rng.randrange(1, ACKNOWLEDGED_BETWEEN_KILLS_MAX))
        broker.kill()
        broker.start()
    produce_until_acknowledged(producer, 1)
    producer.finish()
    check_what_is_there(broker, producer)


def check_what_is_there(broker: BrokerProcess, producer: SteadyProducer) -> None:
    """Read to the end of every partition."""
    reader = ConfluentClient()
    ends = [0] * PARTITIONS
    for partition, offset in producer.acknowledged.values():
        ends[partition] = max(ends[partition], offset + 1)
    # No kill followed the last records, so the end of each partition was acknowledged.
    stored = reader.consume(broker.bootstrap, "numbers", sum(ends), partitions=PARTITIONS)
    places: dict[int, tuple[int, int]] = {}
    for partition in range(PARTITIONS):
        records = [record for record in stored if record.partition == partition]
        assert [record.offset for record in records] == list(range(len(records)))
        numbers = [int(record.value or b"") for record in records]
        assert numbers == sorted(set(numbers))
        places.update(
            (number, (partition, record.offset))
            for number, record in zip(numbers, records, strict=True)
        )
    assert {number: places.get(number) for number in producer.acknowledged} == producer.acknowledged
    assert set(places) <= set(producer.acknowledged) | producer.refused


def test_what_is_acknowledged_survives_five_kills(broker: BrokerProcess) -> None:
    kill_under_load(broker, 5)


@pytest.mark.interop
@pytest.mark.timeout(300)
def test_what_is_acknowledged_survives_thirty_kills(broker: BrokerProcess) -> None:
    kill_under_load(broker, 30)


def test_a_topic_that_was_acknowledged_survives_a_kill(start_broker: BrokerFactory) -> None:
    broker = start_broker()
    for number in range(5):
        admin = Admin(broker.bootstrap)
        admin.create(f"topic-{number}", partitions=number + 1)
        told = admin.describe(f"topic-{number}")
        broker.kill()
        broker.start()
        again = Admin(broker.bootstrap)
        assert again.describe(f"topic-{number}") == told
        assert again.topics() == {f"topic-{n}" for n in range(number + 1)}


def test_an_orderly_stop_under_load_loses_nothing_and_needs_no_check(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("numbers", PARTITIONS)
    producer = SteadyProducer(broker, "numbers")
    for _ in range(3):
        produce_until_acknowledged(producer, 500)
        assert broker.stop() == 0
        assert (broker.data / ".kafka_cleanshutdown").exists()
        broker.start()
    produce_until_acknowledged(producer, 1)
    producer.finish()
    check_what_is_there(broker, producer)
