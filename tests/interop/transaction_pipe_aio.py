"""As `transaction_pipe.py`, with aiokafka."""

from __future__ import annotations

import asyncio
import logging
import sys
import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # type: ignore[import-untyped]  # has no types
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # has no types

SOURCE_PARTITIONS = 2
RECORDS_PER_TRANSACTION = 40
ABORTED_EACH = 5


async def main(bootstrap: str, name: str, source: str, target: str) -> None:
    while True:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            transactional_id=name,
            transaction_timeout_ms=10_000,
            retry_backoff_ms=50,
        )
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            retry_backoff_ms=50,
        )
        try:
            await producer.start()
            await consumer.start()
            consumer.assign([TopicPartition(source, index) for index in range(SOURCE_PARTITIONS)])
            await carry(producer, consumer, name, target)
        except (KafkaError, OSError) as error:
            print(f"begins anew: {error!r}", file=sys.stderr, flush=True)
        finally:
            for closed in (consumer, producer):
                try:
                    await closed.stop()
                except KafkaError as error:
                    print(f"closes badly: {error!r}", file=sys.stderr, flush=True)


async def carry(
    producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, name: str, target: str
) -> None:
    number = 0
    while True:
        found = await consumer.getmany(timeout_ms=200, max_records=RECORDS_PER_TRANSACTION)
        count = sum(map(len, found.values()))
        if not count:
            continue
        number += 1
        token = uuid.uuid4().hex
        await producer.begin_transaction()
        sent = [
            await producer.send(
                target,
                f"{record.value.decode()} {token} {count}".encode(),
                partition=where.partition,
            )
            for where, records in found.items()
            for record in records
        ]
        positions = {where: records[-1].offset + 1 for where, records in found.items()}
        await producer.send_offsets_to_transaction(positions, name)
        await asyncio.gather(*sent)
        if number % ABORTED_EACH == 0:
            await producer.abort_transaction()
            return  # what was aborted is read again
        await producer.commit_transaction()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(main(*sys.argv[1:]))
