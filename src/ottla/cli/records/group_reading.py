"""Reading as a member of a group: what was printed is committed, and nothing else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.records.reading import Ends, Keeper
from ottla.client.consumer.group.listener import RebalanceListener

if TYPE_CHECKING:
    from ottla.blocking.consumer import Consumer

_COMMIT_S: Final = 2.0
_SHARE_S: Final = 15.0
"""Members learn by heartbeats, of 5 s at most, what to give up, and others that it is theirs."""


class Commits(Keeper):
    """Commits what has left every two seconds, before partitions go, and at the end.

    What is printed may lie in a buffer that nobody will read: a pipe's reader has gone.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._printed: dict[TopicPartition, int] = {}
        self._left: dict[TopicPartition, int] = {}
        self._committed_s = time.monotonic()

    def printed(self, partition: TopicPartition, next_offset: int) -> None:
        self._printed[partition] = next_offset

    def flushed(self) -> None:
        self._left |= self._printed
        self._printed.clear()
        if self._left and time.monotonic() - self._committed_s > _COMMIT_S:
            self.commit()

    def commit(self) -> None:
        """Now. Where others have the partitions, they print the records again, too."""
        left, self._left = self._left, {}
        self._committed_s = time.monotonic()
        if not left:
            return
        try:
            self._consumer.commit(left)
        except UserError as error:
            print(f"ottla: not committed: {error}", file=sys.stderr)

    def forget(self, partitions: Sequence[TopicPartition]) -> None:
        """They are others'."""
        for partition in partitions:
            self._printed.pop(partition, None)
            self._left.pop(partition, None)

    def close(self) -> None:
        self.commit()


class Share(Ends):
    """Ends of the partitions that a group gives this member, who waits for them and says so.

    With `is_bounded`, who gets none is at its end, too: the others print what there is. A classic
    member hears of every assignment, also of none (`hears_of_none`): until then it may get some.
    """

    def __init__(
        self,
        group: str,
        is_member: Callable[[], bool],
        *,
        is_bounded: bool,
        hears_of_none: bool,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__({} if is_bounded else None)
        self._group = group
        self._is_member = is_member
        self._hears_of_none = hears_of_none
        self._now_s = now_s
        self._mine = frozenset[TopicPartition]()
        self._may_have_none = True
        self._waits_since_s: float | None = None
        self._told: str | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether there is an end."""
        return self._is_bounded

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """These are this member's now: all of them."""
        self._mine = frozenset(partitions)
        self._may_have_none = True
        self._waits_since_s = None
        self._told = None

    def forget(self, partitions: Sequence[TopicPartition]) -> None:
        """They are others'."""
        super().forget(partitions)
        self.assigned(self._mine.difference(partitions))
        self._may_have_none = not self._hears_of_none

    @property
    def is_over(self) -> bool:
        return super().is_over or (
            not self._mine and self._may_have_none and self._waited_in_vain()
        )

    def _waited_in_vain(self) -> bool:
        now_s = self._now_s()
        if self._waits_since_s is None:
            self._waits_since_s = now_s
        if now_s - self._waits_since_s < _SHARE_S:
            return False
        if not self._is_member():
            self._tell(
                f"still joining {self._group}: its other members have not agreed yet, "
                "which takes as long as each may work without reading"
            )
            return False
        what = "ends" if self.is_bounded else "waits until one leaves"
        self._tell(f"{self._group} has no partition for this member, others have all: it {what}")
        return self.is_bounded

    def _tell(self, what: str) -> None:
        """Once."""
        if what != self._told:
            self._told = what
            print(f"ottla: {what}", file=sys.stderr)


class Follow(RebalanceListener):
    """Partitions come and go: positions are committed in time, ends looked up anew."""

    def __init__(
        self, consumer: Consumer, keeper: Keeper, ends: Share, flush: Callable[[], None]
    ) -> None:
        self._consumer = consumer
        self._keeper = keeper
        self._ends = ends
        self._flush = flush

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """With an end, it is that of now: what comes later is for the next run."""
        mine = self._consumer.assignment
        self._ends.assigned(mine)
        if self._ends.is_bounded:
            self._ends.set(self._consumer.end_offsets(*mine) if mine else {})

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Nothing is committed that has not left."""
        self._ends.forget(partitions)
        self._flush()
        self._keeper.flushed()
        self._keeper.close()

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Too late to commit."""
        self._ends.forget(partitions)
        if isinstance(self._keeper, Commits):
            self._keeper.forget(partitions)
