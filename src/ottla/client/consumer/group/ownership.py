"""Which partitions a member holds, and what its reader has to do next about them.

Pure state. Steps are done in the reader's own task: one is told again until it is `done`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from ottla.base.ids import TopicPartition


class StepKind(Enum):
    """In the order in which they come."""

    LOSE = "others have them already"
    TELL = "tell the program what is new"
    REVOKE = "give them back"
    TAKE = "begin to read them"


class Step(NamedTuple):
    """Something to do about some partitions, in order."""

    kind: StepKind
    partitions: tuple[TopicPartition, ...]


class Ownership:
    """`assign`, `give_back` and `lose` say what should be; `step` how to get there."""

    def __init__(self, *, tells_always: bool) -> None:
        """With `tells_always`, also an assignment that changes nothing is told."""
        self.owned: frozenset[TopicPartition] = frozenset()
        self._tells_always = tells_always
        self._wanted: frozenset[TopicPartition] | None = None
        self._leaving: frozenset[TopicPartition] = frozenset()
        self._untold: frozenset[TopicPartition] | None = None
        self._is_lost = False
        self._has_revoked = False

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """These shall be owned, and no others."""
        self._wanted = frozenset(partitions)

    def give_back(self, partitions: Iterable[TopicPartition]) -> None:
        """These shall not be owned any more, of those that are."""
        self._leaving = self.owned & frozenset(partitions)

    def lose(self) -> None:
        """Nothing is owned any more: nobody waits for this member to give anything back."""
        self._wanted = None
        self._leaving = frozenset()
        if self.owned:
            self._is_lost = True

    def step(self) -> Step | None:
        """What the reader has to do next, if anything."""
        if self._is_lost:
            return _step(StepKind.LOSE, self.owned)
        if self._untold is not None:
            return _step(StepKind.TELL, self._untold)
        if self._leaving:
            return _step(StepKind.REVOKE, self._leaving)
        if self._wanted is None:
            return None
        revoked = self.owned - self._wanted
        if revoked:
            return _step(StepKind.REVOKE, revoked)
        return _step(StepKind.TAKE, self._wanted - self.owned)

    @property
    def is_reconciled(self) -> bool:
        """Whether the last assignment is what is owned."""
        return self._wanted is None and self._untold is None and not self._is_lost

    def take_revoked(self) -> bool:
        """Whether an assignment took something away since this was last asked."""
        revoked, self._has_revoked = self._has_revoked, False
        return revoked

    def done(self, step: Step) -> None:
        """The reader has done it."""
        match step.kind:
            case StepKind.LOSE:
                self.owned, self._untold, self._is_lost = frozenset(), None, False
            case StepKind.TELL:
                self._untold = None
            case StepKind.REVOKE:
                self.owned -= frozenset(step.partitions)
                self._leaving -= frozenset(step.partitions)
                self._has_revoked = self._wanted is not None
            case StepKind.TAKE:
                self.owned |= frozenset(step.partitions)
                self._wanted = None
                if step.partitions or self._tells_always:
                    self._untold = frozenset(step.partitions)


def _step(kind: StepKind, partitions: frozenset[TopicPartition]) -> Step:
    return Step(kind, tuple(sorted(partitions)))
