"""The Python client for plain calls and threads: the classes of `ottla`, without a loop.

    from ottla.blocking import Producer

    with Producer("localhost:9092") as producer:
        producer.send("orders", b"value").result()

Methods, settings and errors are those of the asyncio classes; here every call waits by itself.
"""

from __future__ import annotations

from ottla.blocking.admin import Admin
from ottla.blocking.consumer import Consumer
from ottla.blocking.delivery import BatchDelivery, Delivery
from ottla.blocking.errors import (
    BackgroundLostError,
    ClientForkedError,
    ConcurrentUseError,
    WakeupError,
)
from ottla.blocking.producer import Producer

__all__ = [
    "Admin",
    "BackgroundLostError",
    "BatchDelivery",
    "ClientForkedError",
    "ConcurrentUseError",
    "Consumer",
    "Delivery",
    "Producer",
    "WakeupError",
]
