"""One client that writes or reads records once, in a process of its own: see `client.py`.

`python -m benchmarks.client_rounds WAY BOOTSTRAP TOPIC VALUE_BYTES RECORDS [keyed]` prints one line
of JSON. Payloads are made before the clock starts, and a small round that does not count opens the
connections. Every client that can is idempotent, with acks=all; all linger for 5 ms.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

# Each client is imported by its own ways only: the memory is that of one.
if TYPE_CHECKING:
    from ottla.client.consumer import Consumer
    from ottla.client.producer import Producer
    from ottla.wire.records.layout import BytesColumn

PARTITIONS: Final = 6
WARM_UP_RECORDS: Final = 2_000
KEYS: Final = 1_000

ROWS: Final = 20_000
"""Of one `send_batch`."""

TURN_RECORDS: Final = 1_000
"""Taken before the loop does other work, by `send`s that never wait."""

LINGER_MS: Final = 5
BATCH_BYTES: Final = 256 * 1024
"""Where a client's own default is smaller; librdkafka's is 1 MB."""

Values = list[bytes]
Write = Callable[[Values, Values | None], Awaitable[None]]


class Load:
    """What is written or read, and what it cost."""

    def __init__(self, bootstrap: str, topic: str, value_bytes: int, records: int) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.records = records
        self.is_keyed = False
        self._value_bytes = value_bytes
        self._started = (0.0, 0.0)
        self._spent = (0.0, 0.0)

    def values(self, count: int) -> Values:
        """Ten thousand distinct texts, in turn."""
        row = b'{"id":%08d,"name":"someone","at":1795000000000,"what":"an order"}'
        made = [
            (row % number * (self._value_bytes // 64 + 1))[: self._value_bytes]
            for number in range(min(count, 10_000))
        ]
        return (made * (count // len(made) + 1))[:count]

    def keys(self, count: int) -> Values | None:
        """A thousand distinct ones in turn, where there are any."""
        made = [b"key-%06d" % number for number in range(KEYS)]
        return (made * (count // KEYS + 1))[:count] if self.is_keyed else None

    def start(self) -> None:
        """What comes counts."""
        gc.collect()
        self._started = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """What comes does not."""
        wall, cpu = self._started
        self._spent = time.perf_counter() - wall, time.process_time() - cpu

    def line(self) -> str:
        """The result; the memory is the peak of the whole process, payloads included."""
        seconds, cpu_seconds = self._spent
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return json.dumps(
            {
                "records": self.records,
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,
                "peak_mib": peak_kib / 1024,
            }
        )


async def _write_measured(load: Load, write: Write) -> None:
    await write(load.values(WARM_UP_RECORDS), load.keys(WARM_UP_RECORDS))
    values, keys = load.values(load.records), load.keys(load.records)
    load.start()
    await write(values, keys)
    load.stop()


# -- writing -------------------------------------------------------------------------------------


def _ottla(load: Load) -> Producer:
    from ottla.client.producer import Producer

    return Producer(load.bootstrap, linger_ms=LINGER_MS)


async def ottla_send(load: Load) -> None:
    """`send`, or `put` where the buffer is full, and a flush at the end."""
    from ottla.client.producer import BufferFullError

    async with _ottla(load) as producer:
        send, topic = producer.send, load.topic

        async def write(values: Values, keys: Values | None) -> None:
            for number, value in enumerate(values):
                key = keys[number] if keys else None
                try:
                    send(topic, value, key)
                except BufferFullError:
                    await producer.put(topic, value, key)
                if not number % TURN_RECORDS:
                    await asyncio.sleep(0)
            await producer.flush()

        await _write_measured(load, write)


async def ottla_batch(load: Load) -> None:
    """`send_batch` of lists."""
    async with _ottla(load) as producer:

        async def write(values: Values, keys: Values | None) -> None:
            for start in range(0, len(values), ROWS):
                rows = slice(start, start + ROWS)
                await producer.send_batch(load.topic, values[rows], keys=keys and keys[rows])
            await producer.flush()

        await _write_measured(load, write)


async def ottla_column(load: Load) -> None:
    """`send_batch` of columns."""
    async with _ottla(load) as producer:

        async def write(values: Sequence[BytesColumn], keys: Sequence[BytesColumn] | None) -> None:
            for number, column in enumerate(values):
                await producer.send_batch(load.topic, column, keys=keys[number] if keys else None)
            await producer.flush()

        warm = load.keys(WARM_UP_RECORDS)
        await write(_columns(load.values(WARM_UP_RECORDS)), _columns(warm) if warm else None)
        keys = load.keys(load.records)
        named = _columns(keys) if keys else None
        columns = _columns(load.values(load.records))
        load.start()
        await write(columns, named)
        load.stop()


def _columns(values: Values) -> list[BytesColumn]:
    from ottla.wire.records.layout import BytesColumn

    return [BytesColumn.of(values[start : start + ROWS]) for start in range(0, len(values), ROWS)]


async def confluent_produce(load: Load) -> None:
    """`produce` in a loop, `poll` where its queue is full, and a flush at the end."""
    from confluent_kafka import Producer as Confluent

    producer = Confluent(
        {
            "bootstrap.servers": load.bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": LINGER_MS,
        }
    )

    async def write(values: Values, keys: Values | None) -> None:
        produce, topic = producer.produce, load.topic
        for number, value in enumerate(values):
            while True:
                try:
                    produce(topic, value, keys[number] if keys else None)
                    break
                except BufferError:
                    producer.poll(0.01)
        producer.flush()

    await _write_measured(load, write)


async def aiokafka_send(load: Load) -> None:
    """`send`, whose future nobody awaits, and a flush at the end."""
    from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped] # has no types

    producer = AIOKafkaProducer(
        bootstrap_servers=load.bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=LINGER_MS,
        max_batch_size=BATCH_BYTES,
    )
    await producer.start()

    async def write(values: Values, keys: Values | None) -> None:
        for number, value in enumerate(values):
            await producer.send(load.topic, value, keys[number] if keys else None)
        await producer.flush()

    try:
        await _write_measured(load, write)
    finally:
        await producer.stop()


async def kafka_python_send(load: Load) -> None:
    """`send`, and a flush at the end."""
    from kafka import KafkaProducer  # type: ignore[import-untyped] # has no types

    producer = KafkaProducer(
        bootstrap_servers=load.bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=LINGER_MS,
        batch_size=BATCH_BYTES,
    )

    async def write(values: Values, keys: Values | None) -> None:
        for number, value in enumerate(values):
            producer.send(load.topic, value, keys[number] if keys else None)
        producer.flush()

    await _write_measured(load, write)
    producer.close()


# -- reading -------------------------------------------------------------------------------------

# The clock starts before the first record is there: what a client asks ahead counts, too.


async def _ottla_consumer(load: Load) -> Consumer:
    from ottla.base.ids import TopicPartition
    from ottla.client.consumer import Consumer

    load.start()
    consumer = Consumer(load.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(load.topic, index) for index in range(PARTITIONS)])
    return consumer


async def _iterate(load: Load, consumer: AsyncIterator[Any]) -> None:
    """What two clients are asked in the same words."""
    count = 0
    async for record in consumer:
        assert record.value is not None
        count += 1
        if count == load.records:
            break
    load.stop()


async def ottla_poll(load: Load) -> None:
    """`poll`, each record looked at."""
    consumer = await _ottla_consumer(load)
    count = 0
    while count < load.records:
        for record in await consumer.poll():
            assert record.value is not None
            count += 1
    load.stop()
    await consumer.close()


async def ottla_iterate(load: Load) -> None:
    """`async for`, each record looked at."""
    consumer = await _ottla_consumer(load)
    await _iterate(load, consumer)
    await consumer.close()


async def ottla_columns(load: Load) -> None:
    """`poll_batch`: columns, whose records are counted."""
    consumer = await _ottla_consumer(load)
    count = 0
    while count < load.records:
        count += sum(map(len, (await consumer.poll_batch(1000)).values()))
    load.stop()
    await consumer.close()


async def confluent_consume(load: Load) -> None:
    """`consume` of up to 1,000 messages, each looked at."""
    from confluent_kafka import OFFSET_BEGINNING
    from confluent_kafka import Consumer as Confluent
    from confluent_kafka import TopicPartition as Place

    load.start()
    consumer = Confluent(
        {"bootstrap.servers": load.bootstrap, "group.id": "unused", "enable.auto.commit": False}
    )
    consumer.assign([Place(load.topic, index, OFFSET_BEGINNING) for index in range(PARTITIONS)])
    count = 0
    while count < load.records:
        for message in consumer.consume(1000, 1.0):
            assert message.value() is not None
            count += 1
    load.stop()
    consumer.close()


async def aiokafka_getmany(load: Load) -> None:
    """`getmany`, each record looked at."""
    consumer = await _aiokafka_consumer(load)
    count = 0
    while count < load.records:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            for record in records:
                assert record.value is not None
                count += 1
    load.stop()
    await consumer.stop()


async def aiokafka_iterate(load: Load) -> None:
    """`async for`, each record looked at."""
    consumer = await _aiokafka_consumer(load)
    await _iterate(load, consumer)
    await consumer.stop()


async def _aiokafka_consumer(load: Load) -> Any:
    from aiokafka import AIOKafkaConsumer
    from aiokafka import TopicPartition as Place

    load.start()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=load.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign([Place(load.topic, index) for index in range(PARTITIONS)])
    return consumer


async def kafka_python_poll(load: Load) -> None:
    """`poll`, each record looked at."""
    from kafka import KafkaConsumer
    from kafka import TopicPartition as Place

    load.start()
    consumer = KafkaConsumer(
        bootstrap_servers=load.bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        group_id=None,
    )
    consumer.assign([Place(load.topic, index) for index in range(PARTITIONS)])
    count = 0
    while count < load.records:
        for records in consumer.poll(timeout_ms=1000).values():
            for record in records:
                assert record.value is not None
                count += 1
    load.stop()
    consumer.close()


WAYS: Final[dict[str, Callable[[Load], Coroutine[Any, Any, None]]]] = {
    way.__name__: way
    for way in (
        ottla_send,
        ottla_batch,
        ottla_column,
        confluent_produce,
        aiokafka_send,
        kafka_python_send,
        ottla_poll,
        ottla_iterate,
        ottla_columns,
        confluent_consume,
        aiokafka_getmany,
        aiokafka_iterate,
        kafka_python_poll,
    )
}


def main(way: str, bootstrap: str, topic: str, value_bytes: str, records: str, *keyed: str) -> None:
    """Run one way once."""
    load = Load(bootstrap, topic, int(value_bytes), int(records))
    load.is_keyed = bool(keyed)
    asyncio.run(WAYS[way](load))
    print(load.line())


if __name__ == "__main__":
    main(*sys.argv[1:])
