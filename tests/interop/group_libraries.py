"""Consumers of the three Python libraries behind one interface, for a process that is a member."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

OnOwned = Callable[[str, Iterable[int], int, str], None]
"""Told `assigned`, `revoked` or `lost`, partitions, generation and member id."""

CLOSING_SECONDS = 20
# A member that waits for its broker must not wait long: tests restart brokers under it.
RETRY_MS = 100


class Position(NamedTuple):
    """A record that was read."""

    partition: int
    offset: int
    value: bytes | None


class RefusedError(Exception):
    """A commit that did not take place; the message is the name of the error."""


class Library(Protocol):
    """A consumer that subscribed."""

    def poll(self, seconds: float) -> list[Position]:
        """What there is to read. Raises what the library raises when the member is done for."""

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Commit, and wait for the answer. Raises RefusedError."""

    def close(self) -> None:
        """Leave the group."""


def open_library(settings: Mapping[str, Any], on_owned: OnOwned) -> Library:
    return LIBRARIES[settings["library"]](settings, on_owned)


# -- librdkafka ------------------------------------------------------------------------------------


class Librdkafka:
    """confluent-kafka, of both group protocols."""

    def __init__(self, settings: Mapping[str, Any], on_owned: OnOwned) -> None:
        from confluent_kafka import Consumer

        self._topic, self._on_owned = settings["topic"], on_owned
        chosen: dict[str, Any] = {
            "bootstrap.servers": settings["bootstrap"],
            "group.id": settings["group"],
            "client.id": settings["name"],
            "group.protocol": settings["protocol"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "reconnect.backoff.ms": RETRY_MS,
            "reconnect.backoff.max.ms": RETRY_MS,
            "topic.metadata.refresh.interval.ms": 1000,
        }
        if settings["protocol"] == "classic":
            chosen |= {
                "partition.assignment.strategy": settings["strategy"],
                "session.timeout.ms": settings["session_ms"],
                "heartbeat.interval.ms": settings["heartbeat_ms"],
            }
        if settings["instance"]:
            chosen["group.instance.id"] = settings["instance"]
        self._consumer = Consumer(chosen)
        self._consumer.subscribe(
            [self._topic],
            on_assign=self._teller("assigned"),
            on_revoke=self._teller("revoked"),
            on_lost=self._teller("lost"),
        )

    def _teller(self, did: str) -> Callable[[Any, list[Any]], None]:
        def tell(consumer: Any, partitions: list[Any]) -> None:
            generation, member_id = librdkafka_membership(consumer.consumer_group_metadata())
            self._on_owned(did, [each.partition for each in partitions], generation, member_id)

        return tell

    def poll(self, seconds: float) -> list[Position]:
        from confluent_kafka import KafkaError, KafkaException

        read = []
        for message in self._consumer.consume(500, seconds):
            error = message.error()
            if error is None:
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                assert offset is not None
                read.append(Position(partition, offset, message.value()))
            # What it says of a connection it mends itself; the rest ends this member.
            elif error.code() not in {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT}:
                raise KafkaException(error)
        return read

    def commit(self, offsets: Mapping[int, int]) -> None:
        from confluent_kafka import KafkaException, TopicPartition

        wanted = [TopicPartition(self._topic, *each) for each in offsets.items()]
        try:
            done = self._consumer.commit(offsets=wanted, asynchronous=False)
        except KafkaException as error:
            raise RefusedError(error.args[0].name()) from error
        for each in done or []:
            if each.error is not None:
                raise RefusedError(each.error.name())

    def close(self) -> None:
        self._consumer.close()


def librdkafka_membership(metadata: bytes) -> tuple[int, str]:
    """Generation and member id, from what is meant for a transactional producer."""
    magic, rest = metadata.split(b":", 1)
    assert magic == b"CGMDv2"
    (generation,) = struct.unpack_from("=i", rest)
    _group, member_id, _instance = rest[4:].split(b"\0", 2)
    return generation, member_id.decode()


# -- kafka-python ----------------------------------------------------------------------------------


class KafkaPython:
    """kafka-python 3, which has the classic protocol."""

    def __init__(self, settings: Mapping[str, Any], on_owned: OnOwned) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # it reads definitions in an old way
            import kafka  # type: ignore[import-untyped]  # has no types
            from kafka.coordinator.assignors import (  # type: ignore[import-untyped]  # has no types
                cooperative_sticky,
            )
            from kafka.coordinator.assignors import (
                range as ranges,  # the library's name for it
            )

        # Its loop warns where the machine is slow, which is no complaint about a broker.
        logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
        self._kafka, self._topic = kafka, settings["topic"]
        strategies = {
            "range": ranges.RangePartitionAssignor,
            "cooperative-sticky": cooperative_sticky.CooperativeStickyAssignor,
        }
        consumer = kafka.KafkaConsumer(
            bootstrap_servers=settings["bootstrap"],
            client_id=settings["name"],
            group_id=settings["group"],
            group_instance_id=settings["instance"],
            partition_assignment_strategy=[strategies[settings["strategy"]]],
            session_timeout_ms=settings["session_ms"],
            heartbeat_interval_ms=settings["heartbeat_ms"],
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            reconnect_backoff_ms=RETRY_MS,
            reconnect_backoff_max_ms=RETRY_MS,
        )
        self._consumer = consumer

        class Listener(kafka.ConsumerRebalanceListener):  # type: ignore[misc]  # has no types
            """Tells what it is told, with the membership of that moment.

            The library gives the same up twice where a rebalance begins before the last has ended.
            """

            def __init__(self) -> None:
                self.owned: set[int] = set()

            def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
                self.owned.update(each.partition for each in assigned)
                self.tell("assigned", [each.partition for each in assigned])

            def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
                self.give_up("revoked", revoked)

            def on_partitions_lost(self, lost: Iterable[Any]) -> None:
                self.give_up("lost", lost)

            def give_up(self, did: str, places: Iterable[Any]) -> None:
                gone = self.owned.intersection(each.partition for each in places)
                self.owned -= gone
                self.tell(did, sorted(gone))

            def tell(self, did: str, partitions: list[int]) -> None:
                found = consumer.group_metadata()
                on_owned(did, partitions, found.generation_id, found.member_id)

        # One that leads before it knows the topic assigns nothing, and may never look again.
        while not consumer.partitions_for_topic(self._topic):
            time.sleep(RETRY_MS / 1000)
        consumer.subscribe([self._topic], listener=Listener())

    def poll(self, seconds: float) -> list[Position]:
        try:
            polled = self._consumer.poll(timeout_ms=int(seconds * 1000))
        except self._kafka.errors.KafkaConnectionError:
            return []  # it mends that itself
        return [_position(record) for records in polled.values() for record in records]

    def commit(self, offsets: Mapping[int, int]) -> None:
        kafka = self._kafka
        wanted = {
            kafka.TopicPartition(self._topic, partition): kafka.OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
        }
        try:
            self._consumer.commit(wanted, timeout_ms=CLOSING_SECONDS * 1000)
        except kafka.errors.FencedInstanceIdError:
            raise  # it polls on as if nothing were, but will never own anything again
        except kafka.errors.KafkaError as error:
            raise RefusedError(type(error).__name__) from error

    def close(self) -> None:
        self._consumer.close()


# -- aiokafka --------------------------------------------------------------------------------------


class Aiokafka:
    """aiokafka, with a loop that runs while a call does."""

    def __init__(self, settings: Mapping[str, Any], on_owned: OnOwned) -> None:
        self._loop, self._topic = asyncio.new_event_loop(), settings["topic"]
        self._loop.run_until_complete(self._open(settings, on_owned))

    async def _open(self, settings: Mapping[str, Any], on_owned: OnOwned) -> None:
        import aiokafka  # type: ignore[import-untyped]  # has no types
        from aiokafka.coordinator.assignors.range import (  # type: ignore[import-untyped]  # none
            RangePartitionAssignor,
        )

        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=settings["bootstrap"],
            client_id=settings["name"],
            group_id=settings["group"],
            group_instance_id=settings["instance"],
            partition_assignment_strategy=[RangePartitionAssignor],
            session_timeout_ms=settings["session_ms"],
            heartbeat_interval_ms=settings["heartbeat_ms"],
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            retry_backoff_ms=RETRY_MS,
        )

        class Listener(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]  # has no types
            """Tells what it is told; the library knows no difference of lost and revoked."""

            def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
                self.tell("assigned", assigned)

            def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
                self.tell("revoked", revoked)

            def tell(self, did: str, places: Iterable[Any]) -> None:
                found = consumer._coordinator  # it has no public word for its generation
                owned = [each.partition for each in places]
                on_owned(did, owned, found.generation, found.member_id)

        self._consumer, self._listener = consumer, Listener()
        consumer.subscribe([self._topic], listener=self._listener)
        await consumer.start()

    def poll(self, seconds: float) -> list[Position]:
        polled = self._loop.run_until_complete(
            self._consumer.getmany(timeout_ms=int(seconds * 1000))
        )
        return [_position(record) for records in polled.values() for record in records]

    def commit(self, offsets: Mapping[int, int]) -> None:
        import aiokafka

        wanted = {
            aiokafka.TopicPartition(self._topic, partition): offset
            for partition, offset in offsets.items()
        }
        try:
            self._loop.run_until_complete(self._consumer.commit(wanted))
        except aiokafka.errors.KafkaError as error:
            # It wraps a lost membership in an error of its own, which names the first one.
            cause = error.args[0] if error.args else ""
            raise RefusedError(f"{type(error).__name__} {cause}".strip()) from error

    def close(self) -> None:
        # It leaves without a word to its listener.
        self._listener.on_partitions_revoked(self._consumer.assignment())
        self._loop.run_until_complete(self._consumer.stop())
        self._loop.close()


def _position(record: Any) -> Position:
    value = record.value
    return Position(record.partition, record.offset, None if value is None else bytes(value))


LIBRARIES: Mapping[str, Callable[[Mapping[str, Any], OnOwned], Library]] = {
    "librdkafka": Librdkafka,
    "kafka-python": KafkaPython,
    "aiokafka": Aiokafka,
}
