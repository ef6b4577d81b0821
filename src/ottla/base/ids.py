"""The names of things: offsets, epochs, nodes, topics, partitions.

`first`, `base` and `last` are inclusive; `next` and `end` are exclusive.
"""

from __future__ import annotations

import base64
from typing import NamedTuple, NewType

Offset = NewType("Offset", int)
LeaderEpoch = NewType("LeaderEpoch", int)
NodeId = NewType("NodeId", int)
ProducerId = NewType("ProducerId", int)
TopicName = NewType("TopicName", str)
PartitionIndex = NewType("PartitionIndex", int)

Uuid = NewType("Uuid", bytes)
"""Sixteen raw bytes, as on the wire; never `uuid.UUID`, which costs a microsecond to build."""

ZERO_UUID = Uuid(bytes(16))
METADATA_TOPIC_ID = Uuid(bytes(15) + b"\x01")
"""The id that Kafka reserves for `__cluster_metadata`."""

RESERVED_UUIDS = frozenset({ZERO_UUID, METADATA_TOPIC_ID})

NO_LEADER = NodeId(-1)
NO_EPOCH = LeaderEpoch(-1)
NO_OFFSET = Offset(-1)
NO_PRODUCER = ProducerId(-1)


class TopicPartition(NamedTuple):
    """One partition of a topic, by name."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


def format_uuid(uuid: bytes) -> str:
    """The 22 characters that Kafka prints: URL-safe base64 without padding."""
    assert len(uuid) == 16
    return base64.urlsafe_b64encode(uuid)[:22].decode("ascii")


def parse_uuid(text: str) -> Uuid:
    """Read what `format_uuid` writes. Raises ValueError for anything else."""
    if len(text) != 22:
        raise ValueError(f"a uuid has 22 characters of URL-safe base64, not {len(text)}: {text!r}")
    uuid = base64.b64decode(text + "==", altchars=b"-_", validate=True)
    return Uuid(uuid)
