"""What tests of programs that use Kafka need: brokers, topics, and faults on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ottla.testing.broker import TemporaryBroker
    from ottla.testing.memory_broker import MemoryBroker

__all__ = ["MemoryBroker", "TemporaryBroker"]


def __getattr__(name: str) -> object:
    """Imported when it is wanted: every run of pytest imports this package."""
    if name == "TemporaryBroker":
        from ottla.testing.broker import TemporaryBroker

        return TemporaryBroker
    if name == "MemoryBroker":
        from ottla.testing.memory_broker import MemoryBroker

        return MemoryBroker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
