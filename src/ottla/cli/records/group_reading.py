"""Reading as a member of a group: what was printed is committed, and nothing else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.records.reading import Ends, Keeper
from ottla.client.consumer.group.listener import RebalanceListener

if TYPE_CHECKING:
    from ottla.blocking.consumer import Consumer

_COMMIT_S: Final = 2.0


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


class Follow(RebalanceListener):
    """Partitions come and go: positions are committed in time, ends looked up anew."""

    def __init__(
        self, consumer: Consumer, keeper: Keeper, ends: Ends | None, flush: Callable[[], None]
    ) -> None:
        self._consumer = consumer
        self._keeper = keeper
        self._ends = ends
        self._flush = flush

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """With an end, it is that of now: what comes later is for the next run."""
        if self._ends is not None:
            mine = self._consumer.assignment
            self._ends.set(self._consumer.end_offsets(*mine) if mine else {})

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Nothing is committed that has not left."""
        self._flush()
        self._keeper.flushed()
        self._keeper.close()

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Too late to commit."""
        if isinstance(self._keeper, Commits):
            self._keeper.forget(partitions)
