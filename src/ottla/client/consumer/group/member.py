"""What both protocols of groups have in common, seen from the member's side."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from ottla.base.ids import TopicPartition
from ottla.client.consumer.group.ownership import Ownership
from ottla.client.consumer.subscription import Subscription
from ottla.wire.schema import Message

NEVER = float("inf")


class Identity(NamedTuple):
    """Who commits: generation -1 and no id for whoever is no member.

    `generation` is the member's epoch in the consumer protocol.
    """

    member_id: str = ""
    generation: int = -1
    instance_id: str | None = None


class Ask(NamedTuple):
    """A request to the coordinator; `make` makes it for the version that both sides speak."""

    kind: type[Message]
    make: Callable[[int], Message]
    answer: type[Message]
    timeout_ms: int | None = None
    """How long the answer may take; None for the usual."""


class Member(Protocol):
    """Decides what to ask and what answers mean. Knows no time but what it is told, in ms."""

    ownership: Ownership
    error: Exception | None
    """What the reader has to be told."""

    @property
    def identity(self) -> Identity:
        """Who this member is at present."""
        ...

    @property
    def is_joined(self) -> bool:
        """Whether the group counts on this member."""
        ...

    def subscribe(self, subscription: Subscription, topics: frozenset[str]) -> None:
        """Be interested in these; joins where that is new, once the reader has prepared it."""
        ...

    @property
    def wants_preparation(self) -> bool:
        """Whether the reader must let go before this member may join."""
        ...

    def to_give_back(self) -> frozenset[TopicPartition]:
        """What the reader must give back before that."""
        ...

    def prepared(self) -> None:
        """It has."""
        ...

    def reconciled(self) -> None:
        """The reader holds what was assigned."""
        ...

    def ask(self, now_ms: float) -> Ask | None:
        """What to ask now; what comes of it is told by `answered` or `failed`."""
        ...

    def due_at_ms(self) -> float:
        """When to look for something to ask next."""
        ...

    def answered(self, answer: Message, now_ms: float) -> None:
        """The answer to what was asked."""
        ...

    def failed(self, now_ms: float) -> None:
        """What was asked has no answer."""
        ...

    def refused(self, error: Exception, now_ms: float) -> None:
        """What was asked cannot be asked; asking again is in vain until something is changed."""
        ...

    def commit_refused(self, code: int, identity: Identity) -> None:
        """A commit in that name was refused."""
        ...

    def leave(self, reason: str) -> Ask | None:
        """Be no member any more; what to tell the coordinator, if it has to know."""
        ...
