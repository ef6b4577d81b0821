"""A cluster's metadata without a cluster: decisions, replayed at once."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TypeVar

from ottla.base.errors import ErrorCode
from ottla.metadata.brokers import (
    Registration,
    decide_register_broker,
    decide_unfence_broker,
)
from ottla.metadata.decision import Decision
from ottla.metadata.features import decide_bootstrap
from ottla.metadata.image import EndpointImage, MetadataDelta, MetadataImage, PartitionImage
from ottla.metadata.replay import replayed
from ottla.metadata.topics import decide_create_topics
from ottla.settings.broker import BrokerSettings
from ottla.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.payloads.metadata import decode_metadata_record, encode_metadata_record

R = TypeVar("R")


class SeededRng:
    """Random numbers that are the same in every run."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def below(self, bound: int) -> int:
        return self._random.randrange(bound)

    def uuid(self) -> bytes:
        return self._random.randbytes(16)


class Cluster:
    """An image that moves on with every decision, through the bytes of its records."""

    def __init__(self, brokers: int | Iterable[int] = 1, **settings: str) -> None:
        self.settings = BrokerSettings(
            {name.replace("_", "."): text for name, text in settings.items()}
        )
        self.rng = SeededRng()
        self.image = MetadataImage(cluster_id="cluster")
        self.delta = MetadataDelta()
        self.do(decide_bootstrap(self.image))
        for node_id in range(1, brokers + 1) if isinstance(brokers, int) else brokers:
            self.join(node_id)

    def do(self, decision: Decision[R]) -> R:
        """Replay what was decided."""
        records = [
            decode_metadata_record(memoryview(encode_metadata_record(record)))
            for record in decision.records
        ]
        self.image, self.delta = replayed(
            self.image, records, next_offset=self.image.next_offset + len(records), epoch=1
        )
        return decision.reply

    def register(self, node_id: int, *, rack: str | None = None, previous_epoch: int = -1) -> int:
        """Register an incarnation; its epoch."""
        registration = Registration(
            node_id=node_id,
            cluster_id="cluster",
            incarnation_id=self.rng.uuid(),
            endpoints={"PLAINTEXT": EndpointImage("localhost", 9092, 0)},
            log_directories=(directory_of(node_id),),
            rack=rack,
            previous_epoch=previous_epoch,
        )
        reply = self.do(decide_register_broker(self.image, registration, settings=self.settings))
        assert reply.error_code == ErrorCode.NONE, reply
        return reply.broker_epoch

    def unfence(self, node_id: int, epoch: int) -> None:
        """Let it serve."""
        decision = decide_unfence_broker(self.image, node_id, epoch, settings=self.settings)
        assert self.do(decision) == ErrorCode.NONE

    def join(self, node_id: int, *, rack: str | None = None, previous_epoch: int = -1) -> int:
        """Register and serve; the epoch."""
        epoch = self.register(node_id, rack=rack, previous_epoch=previous_epoch)
        self.unfence(node_id, epoch)
        return epoch

    def create(self, *topics: CreatableTopic, validate_only: bool = False) -> CreateTopicsResponse:
        """Ask for topics."""
        request = CreateTopicsRequest(topics=list(topics), validate_only=validate_only)
        return self.do(
            decide_create_topics(self.image, request, settings=self.settings, rng=self.rng)
        )

    def partition(self, topic: str, index: int = 0) -> PartitionImage:
        return self.image.topics_by_name[topic].partitions[index]


def tells(answer: tuple[int, str | None], code: int, facts: Iterable[str]) -> bool:
    """Whether an answer has this error code and its message all of these facts."""
    told, message = answer
    assert told == code, answer
    missing = [fact for fact in facts if fact not in (message or "")]
    assert not missing, f"{message!r} does not tell {missing}"
    return True


def directory_of(node_id: int) -> bytes:
    """The id of a node's only data directory."""
    return (1000 + node_id).to_bytes(16, "big")


def wanted(
    name: str,
    partitions: int = -1,
    replication: int = -1,
    *,
    assignments: Iterable[tuple[int, list[int]]] = (),
    configs: Iterable[tuple[str, str | None]] = (),
) -> CreatableTopic:
    """A topic of a CreateTopics request."""
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=replicas)
            for index, replicas in assignments
        ],
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs],
    )
