"""Carries records from one topic to another in transactions of librdkafka, until it is killed.

Each record says which transaction carried it, and how many records that has. The library's own log,
from warnings up, goes to standard error.
"""

from __future__ import annotations

import sys
import uuid

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

SOURCE_PARTITIONS = 2
RECORDS_PER_TRANSACTION = 40
ABORTED_EACH = 5
PATIENCE_SECONDS = 30
WARNING = 4


def main(bootstrap: str, name: str, source: str, target: str) -> None:
    while True:
        try:
            carry(bootstrap, name, source, target)
        except KafkaException as error:
            print("begins anew:", error, file=sys.stderr, flush=True)


def carry(bootstrap: str, name: str, source: str, target: str) -> None:
    common = {
        "bootstrap.servers": bootstrap,
        "log_level": WARNING,
        "reconnect.backoff.max.ms": 100,
    }
    producer = Producer(
        {**common, "transactional.id": name, "transaction.timeout.ms": 10_000, "linger.ms": 1}
    )
    producer.init_transactions(PATIENCE_SECONDS)
    consumer = Consumer(
        {
            **common,
            "group.id": name,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    try:
        wanted = [TopicPartition(source, index) for index in range(SOURCE_PARTITIONS)]
        positions = consumer.committed(wanted, timeout=PATIENCE_SECONDS)
        for place in positions:
            place.offset = max(place.offset, 0)
        consumer.assign(positions)
        number = 0
        while True:
            records = consumer.consume(RECORDS_PER_TRANSACTION, timeout=0.2)
            records = [record for record in records if record.error() is None]
            if not records:
                continue
            number += 1
            token = uuid.uuid4().hex
            producer.begin_transaction()
            for record in records:
                value, partition = record.value(), record.partition()
                assert value is not None
                assert partition is not None
                told = f"{value.decode()} {token} {len(records)}"
                producer.produce(target, told, partition=partition)
            producer.send_offsets_to_transaction(
                consumer.position(wanted), consumer.consumer_group_metadata(), PATIENCE_SECONDS
            )
            if number % ABORTED_EACH == 0:
                producer.abort_transaction(PATIENCE_SECONDS)
                return  # what was aborted is read again
            producer.commit_transaction(PATIENCE_SECONDS)
    finally:
        consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
