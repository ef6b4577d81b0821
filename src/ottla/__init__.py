"""Ottla: an event streaming platform that speaks Apache Kafka's protocol.

    from ottla import Producer, Consumer            # for asyncio
    from ottla.blocking import Producer, Consumer   # for plain calls and threads

What is named here is loaded when it is first used.
"""

from __future__ import annotations

__version__ = "0.1.0"

# Type checkers take a variable of this name for true; importing typing's would cost what this file
# must not cost.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from ottla.base.errors import ErrorCode, ProtocolError, UserError
    from ottla.base.ids import TopicPartition
    from ottla.client.admin import Admin
    from ottla.client.consumer import Consumer, ConsumerRecord, PartitionError
    from ottla.client.consumer.group.listener import RebalanceListener
    from ottla.client.errors import DeadlineError, NodeError, RefusedError
    from ottla.client.offset_and_metadata import OffsetAndMetadata
    from ottla.client.producer import (
        BufferFullError,
        Delivery,
        DeliveryError,
        Producer,
        ProducerFencedError,
        RecordMetadata,
        TransactionError,
    )

__all__ = [
    "Admin",
    "BufferFullError",
    "Consumer",
    "ConsumerRecord",
    "DeadlineError",
    "Delivery",
    "DeliveryError",
    "ErrorCode",
    "NodeError",
    "OffsetAndMetadata",
    "PartitionError",
    "Producer",
    "ProducerFencedError",
    "ProtocolError",
    "RebalanceListener",
    "RecordMetadata",
    "RefusedError",
    "TopicPartition",
    "TransactionError",
    "UserError",
]

_HOMES = {
    "ottla.base.errors": ("ErrorCode", "ProtocolError", "UserError"),
    "ottla.base.ids": ("TopicPartition",),
    "ottla.client.admin": ("Admin",),
    "ottla.client.consumer": ("Consumer", "ConsumerRecord", "PartitionError"),
    "ottla.client.consumer.group.listener": ("RebalanceListener",),
    "ottla.client.offset_and_metadata": ("OffsetAndMetadata",),
    "ottla.client.errors": ("DeadlineError", "NodeError", "RefusedError"),
    "ottla.client.producer": (
        "BufferFullError",
        "Delivery",
        "DeliveryError",
        "Producer",
        "ProducerFencedError",
        "RecordMetadata",
        "TransactionError",
    ),
}


def _load(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            found: object = getattr(import_module(home), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module 'ottla' has no attribute {name!r}")


if not TYPE_CHECKING:
    # Hidden from type checkers, which would then take any name for one of ours.
    __getattr__ = _load


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
