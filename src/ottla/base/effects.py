"""What a coordinator's core asks of its shell: records to keep, answers to give.

A core decides and never waits. What it decided is real only once its records are committed, so the
shell holds the answers back until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, NamedTuple, TypeVar

RecordT = TypeVar("RecordT")

NEVER: Final = 1 << 62
"""A deadline that does not come."""

Ticket = int
"""Stands for one request that waits for its answer; the shell gives them out."""


class Moment(NamedTuple):
    """Now, by both clocks: the wall's for what is written down, the other for deadlines."""

    now_ms: int
    monotonic_ms: int


class ProducerIdentity(NamedTuple):
    """In whose transaction records are written."""

    producer_id: int
    producer_epoch: int


class Effects(Generic[RecordT]):
    """`records` are written, then the `replies` leave.

    The records go into one batch, all or none of them; but where they only take back, and are too
    much for one, they may go into several. A reply may answer a request that came long before. One
    without records still waits until all that the core has decided so far is committed: nobody is
    told what may yet be lost. With a `producer` the records belong to its transaction.
    """

    __slots__ = ("producer", "records", "replies")

    def __init__(
        self,
        records: Iterable[RecordT] = (),
        replies: Iterable[tuple[Ticket, object]] = (),
        *,
        producer: ProducerIdentity | None = None,
    ) -> None:
        self.records = list(records)
        self.replies = list(replies)
        self.producer = producer

    def __repr__(self) -> str:
        return f"Effects({self.records!r}, {self.replies!r}, producer={self.producer!r})"

    def reply(self, ticket: Ticket, response: object) -> None:
        """Answer one request."""
        self.replies.append((ticket, response))

    def add(self, other: Effects[RecordT]) -> None:
        """Take over what another step wants, behind what is there."""
        assert other.producer == self.producer or not other.records, "one producer a batch"
        self.records += other.records
        self.replies += other.replies
