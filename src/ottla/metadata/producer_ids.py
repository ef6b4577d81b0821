"""Blocks of producer ids: each id is given once in the life of a cluster (KIP-730)."""

from __future__ import annotations

from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode
from ottla.metadata.decision import Decision
from ottla.metadata.image import MetadataImage
from ottla.wire.payloads.metadata import ProducerIdsRecord

BLOCK_LENGTH: Final = 1000
_LAST: Final = 2**63 - 1


class ProducerIdBlock(NamedTuple):
    """Ids `[first, first + length)`, or why there are none."""

    error_code: ErrorCode
    first: int = -1
    length: int = 0


def decide_allocate_producer_ids(
    image: MetadataImage, node_id: int, broker_epoch: int
) -> Decision[ProducerIdBlock]:
    """Give a broker the next block."""
    broker = image.brokers.get(node_id)
    if broker is None or broker.epoch != broker_epoch:
        return Decision((), ProducerIdBlock(ErrorCode.STALE_BROKER_EPOCH))
    first = image.next_producer_id
    if first > _LAST - BLOCK_LENGTH:
        return Decision((), ProducerIdBlock(ErrorCode.UNKNOWN_SERVER_ERROR))
    record = ProducerIdsRecord(
        broker_id=node_id, broker_epoch=broker_epoch, next_producer_id=first + BLOCK_LENGTH
    )
    return Decision((record,), ProducerIdBlock(ErrorCode.NONE, first, BLOCK_LENGTH))
