"""What the runtime asks of a coordinator's core: one shard for each partition of its topic.

A command reads the state and returns `Effects`. Only `replay` changes what is kept; what is not
kept (who waits, sessions, timers) a command may change at once. Time comes in as numbers: `now_ms`
is the wall clock for what is written down, `monotonic_ms` for deadlines.
"""

from __future__ import annotations

from typing import Protocol

from ottla.base.effects import NEVER, Effects, Moment, ProducerIdentity, Ticket
from ottla.base.errors import ErrorCode
from ottla.wire.payloads.records import CoordinatorRecord
from ottla.wire.schema import Payload

__all__ = ["NEVER", "Moment", "Shard"]


class Shard(Protocol):
    """State of all that hashes to one partition. Never used by two threads, never waits."""

    @property
    def next_deadline_ms(self) -> int:
        """When `expire` has something to do (monotonic); NEVER."""
        ...

    def replay(
        self, key: Payload, value: Payload | None, *, offset: int, producer: ProducerIdentity | None
    ) -> None:
        """Take over one record of the log; at load, and when a command's records are appended."""
        ...

    def replay_marker(self, producer: ProducerIdentity, *, is_committed: bool) -> None:
        """A producer's transaction has ended in this partition."""
        ...

    def loaded(self, moment: Moment) -> Effects[CoordinatorRecord]:
        """All of the log has been replayed: start the clocks of what was found."""
        ...

    def expire(self, moment: Moment) -> Effects[CoordinatorRecord]:
        """Do what is due."""
        ...

    def unloaded(self, error: ErrorCode) -> list[tuple[Ticket, object]]:
        """Another broker takes over, or the log failed: what those who wait are told."""
        ...
