"""What a program may want to do when partitions come and go."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from ottla.base.ids import TopicPartition


class RebalanceListener:
    """Called inside a read, `unsubscribe` or `close`, in that call's own task.

    Methods are plain or `async`; records are not handed out meanwhile. What they raise, the read
    raises when all is done that the change of partitions needs. A read that is cancelled inside
    one of them calls it again next time, with the same partitions.
    """

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> Awaitable[None] | None:
        """These are new, in addition to what is still there; seeking is possible.

        Called after every rebalance of a classic group, also with none.
        """
        return None

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> Awaitable[None] | None:
        """These are about to go to others: committing is still possible."""
        return None

    def on_lost(self, partitions: Sequence[TopicPartition]) -> Awaitable[None] | None:
        """These went to others already; nothing of them can be committed.

        Unless it is overridden, `on_revoked` is called.
        """
        return self.on_revoked(partitions)
