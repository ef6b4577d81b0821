"""Why a group has rebalanced: what its operators ask first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum

from msgspec import Struct

from ottla.base.limits import REBALANCE_CAUSES_KEPT, REBALANCES_KEPT_PER_GROUP


class Trigger(Enum):
    """What makes a group share its work anew."""

    JOINED = "joined"
    LEFT = "left"
    SESSION_ENDED = "was not heard of in its session timeout"
    DID_NOT_REJOIN = "did not join again in time"
    DID_NOT_SYNC = "did not ask for its assignment in time"
    SUBSCRIPTION_CHANGED = "changed its subscription"
    METADATA_CHANGED = "leads, and asked for it: topics or partitions may have changed"
    TOPICS_CHANGED = "its topics, or their partitions, have changed"
    DID_NOT_REVOKE = "did not give back its partitions in time"
    INSTANCE_RETURNED = "came back as the same static member"


class Cause(Struct, frozen=True, kw_only=True):
    """One member's part in it; `detail` is what its client says."""

    trigger: Trigger
    member_id: str
    client_id: str = ""
    group_instance_id: str | None = None
    detail: str = ""


class Rebalance(Struct, kw_only=True):
    """From the first cause until the next generation began.

    `causes` are the first ones; `causes_count` is all. `ended_ms` and `to_generation` are None as
    long as it lasts. Times are of the wall clock.
    """

    started_ms: int
    from_generation: int
    causes: list[Cause]
    causes_count: int = 0
    ended_ms: int | None = None
    to_generation: int | None = None
    members: int | None = None


class Journal:
    """The last rebalances of one group, the newest last."""

    def __init__(self) -> None:
        self._entries: deque[Rebalance] = deque(maxlen=REBALANCES_KEPT_PER_GROUP)

    def __iter__(self) -> Iterator[Rebalance]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def under_way(self) -> Rebalance | None:
        """The one that has not ended."""
        last = self._entries[-1] if self._entries else None
        return last if last is not None and last.ended_ms is None else None

    def note(self, cause: Cause, *, generation: int, now_ms: int) -> None:
        """A cause; it begins a rebalance, or adds to the one under way."""
        entry = self.under_way
        if entry is None:
            entry = Rebalance(started_ms=now_ms, from_generation=generation, causes=[])
            self._entries.append(entry)
        entry.causes_count += 1
        if len(entry.causes) < REBALANCE_CAUSES_KEPT:
            entry.causes.append(cause)

    def ended(self, *, generation: int, members: int, now_ms: int) -> None:
        """The next generation has begun."""
        entry = self.under_way
        if entry is not None:
            entry.ended_ms = now_ms
            entry.to_generation = generation
            entry.members = members
