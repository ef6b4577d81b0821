"""ISR and high watermark of one partition led here.

Owns no file and no socket: log positions come in as numbers, and what became visible goes out as a
number. With one replica every append is visible at once; followers report where they are through
`follower_fetched`, and nothing above this file changes when they come.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ottla.base.ids import LeaderEpoch, NodeId, Offset


class FollowerProgress(msgspec.Struct):
    """How far one follower has copied the log."""

    log_end_offset: Offset
    last_caught_up_ms: int


class LeaderState:
    """One partition's leadership in one leader epoch.

    `high_watermark` is exclusive: records below it are in the log of every in-sync replica.
    """

    __slots__ = ("_followers", "epoch", "high_watermark", "isr", "log_end_offset", "node_id")

    def __init__(
        self,
        node_id: NodeId,
        epoch: LeaderEpoch,
        isr: Iterable[NodeId],
        *,
        log_end_offset: Offset,
        high_watermark: Offset,
    ) -> None:
        self.node_id = node_id
        self.epoch = epoch
        self.isr = frozenset(isr)
        self.log_end_offset = log_end_offset
        self.high_watermark = high_watermark
        self._followers: dict[NodeId, FollowerProgress] = {}
        assert node_id in self.isr
        self._advance()

    def appended(self, log_end_offset: Offset) -> bool:
        """The leader's own log grew to `log_end_offset`; whether the high watermark moved."""
        assert log_end_offset >= self.log_end_offset
        self.log_end_offset = log_end_offset
        if len(self.isr) == 1:
            # The hot path of an unreplicated partition: nobody else to ask.
            moved = log_end_offset > self.high_watermark
            self.high_watermark = log_end_offset
            return moved
        return self._advance()

    def follower_fetched(self, follower: NodeId, fetch_offset: Offset, now_ms: int) -> bool:
        """A follower asks from here, so it has what is before; whether the watermark moved."""
        progress = self._followers.setdefault(follower, FollowerProgress(Offset(0), now_ms))
        progress.log_end_offset = fetch_offset
        if fetch_offset >= self.log_end_offset:
            progress.last_caught_up_ms = now_ms
        return self._advance()

    def isr_changed(self, isr: Iterable[NodeId]) -> bool:
        """The controller's decision; whether the watermark moved."""
        self.isr = frozenset(isr)
        return self._advance()

    def has_enough_replicas(self, min_insync_replicas: int) -> bool:
        """Whether a write with acks=all may be taken at all."""
        return len(self.isr) >= min_insync_replicas

    def _advance(self) -> bool:
        """Move the high watermark to what every in-sync replica has; it never goes back."""
        reached = min(
            (self._replica_end(replica) for replica in self.isr), default=self.high_watermark
        )
        if reached <= self.high_watermark:
            return False
        self.high_watermark = reached
        return True

    def _replica_end(self, replica: NodeId) -> Offset:
        if replica == self.node_id:
            return self.log_end_offset
        progress = self._followers.get(replica)
        return progress.log_end_offset if progress is not None else self.high_watermark
