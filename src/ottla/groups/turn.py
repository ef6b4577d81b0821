"""One decision under way: the moment it is made at, and what it comes to."""

from __future__ import annotations

from ottla.base.effects import Effects, Moment, Ticket
from ottla.groups.config import GroupConfig
from ottla.wire.payloads.records import CoordinatorRecord

Decided = Effects[CoordinatorRecord]
"""What a command comes to."""


class Turn:
    """What the steps of one command share.

    `now_ms` is the wall clock, `monotonic_ms` what deadlines are counted in.
    """

    __slots__ = ("config", "effects", "monotonic_ms", "now_ms")

    def __init__(self, moment: Moment, config: GroupConfig) -> None:
        self.now_ms, self.monotonic_ms = moment
        self.config = config
        self.effects: Decided = Effects()

    def reply(self, ticket: Ticket, response: object) -> None:
        """Answer a request, this one or one that waits."""
        self.effects.replies.append((ticket, response))

    def keep(self, record: CoordinatorRecord) -> None:
        """Write a record; the state follows when it is replayed, right after this turn."""
        self.effects.records.append(record)
