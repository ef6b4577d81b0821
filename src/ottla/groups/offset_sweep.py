"""Looks for offsets that nobody may have any more: too old ones, and those of topics that are gone.

A shard may keep millions. So one turn looks at some groups and takes back some offsets, and the
next turn goes on where it stopped; others are served in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ottla.base.effects import NEVER
from ottla.base.limits import OFFSETS_EXPIRED_PER_TURN_MAX, OFFSETS_LOOKED_AT_PER_TURN_MAX
from ottla.groups import offset_commits
from ottla.groups.group import Group
from ottla.groups.offset_expiry import expired
from ottla.groups.offsets import Place
from ottla.groups.shard_state import ShardState
from ottla.groups.topics_view import KnownTopics
from ottla.groups.turn import Turn


class GoneOffset(NamedTuple):
    """An offset of a topic that was deleted, written before `log_offset`.

    What was written since is of a new topic of the same name.
    """

    group_id: str
    place: Place
    log_offset: int


class OffsetSweep:
    """`due_ms` (monotonic) is when `go_on` has something to do; NEVER until `begin`."""

    def __init__(self, state: ShardState, topics: KnownTopics | None) -> None:
        self.due_ms = NEVER
        self._state = state
        self._topics = topics
        self._gone: list[GoneOffset] = []
        """What is still to be taken back."""
        self._unseen: list[str] = []
        """Groups that this round has not looked at."""

    def begin(self, turn: Turn) -> None:
        """The shard has been read. What is too old can wait; a topic may be made again any time."""
        if self._topics is not None:
            known = self._topics.view.by_name
            self._gone = self._find_gone(lambda topic: topic not in known)
        interval_ms = turn.config.offsets_check_interval_ms
        self.due_ms = turn.monotonic_ms + (0 if self._gone else interval_ms)

    def topics_deleted(self, topics: frozenset[str], turn: Turn) -> None:
        """Take back the offsets of these topics: as many as one turn may, then `go_on` is due."""
        is_busy = bool(self._gone)
        self._gone += self._find_gone(lambda topic: topic in topics)
        if self._gone and not is_busy:
            self._forget_gone(turn)
        if self._gone:
            self.due_ms = turn.monotonic_ms

    def go_on(self, turn: Turn) -> None:
        """As much as one turn may."""
        if self._gone:
            self._forget_gone(turn)
        else:
            self._expire(turn)
        is_done = not self._gone and not self._unseen
        interval_ms = turn.config.offsets_check_interval_ms
        self.due_ms = turn.monotonic_ms + (interval_ms if is_done else 0)

    # -- topics that are gone ----------------------------------------------------------------------

    def _find_gone(self, is_gone: Callable[[str], bool]) -> list[GoneOffset]:
        all_offsets = self._state.offsets
        return [
            GoneOffset(group_id, place, all_offsets.next_log_offset)
            for group_id, offsets in all_offsets.items()
            for place in offsets.places()
            if is_gone(place.topic)
        ]

    def _forget_gone(self, turn: Turn) -> None:
        some = self._gone[-OFFSETS_EXPIRED_PER_TURN_MAX:]
        del self._gone[-OFFSETS_EXPIRED_PER_TURN_MAX:]
        for group_id, place, log_offset in some:
            if self._state.offsets.of(group_id).is_older(place, log_offset):
                offset_commits.forget(group_id, [place], turn)

    # -- age ---------------------------------------------------------------------------------------

    def _expire(self, turn: Turn) -> None:
        if not self._unseen:
            self._unseen = self._state.group_ids()
        looked_at = 0
        while self._unseen and looked_at < OFFSETS_LOOKED_AT_PER_TURN_MAX:
            group_id = self._unseen.pop()
            group = self._state.find(group_id)
            if group is not None:
                looked_at += 1 + len(self._state.offsets.of(group_id).committed)
                if not self._expire_of(group, turn):
                    self._unseen.append(group_id)
                    return

    def _expire_of(self, group: Group, turn: Turn) -> bool:
        """Whether all was done; then an empty group that has no offsets any more goes with them."""
        offsets = self._state.offsets.of(group.group_id)
        retention_ms = turn.config.offsets_retention_ms
        old = list(expired(group, offsets, now_ms=turn.now_ms, retention_ms=retention_ms))
        room = OFFSETS_EXPIRED_PER_TURN_MAX - len(turn.effects.records)
        if len(old) > room:
            offset_commits.forget(group.group_id, old[:room], turn)
            return False
        offset_commits.forget(group.group_id, old, turn)
        has_offsets = len(old) < len(offsets.committed) or bool(offsets.pending)
        if group.is_empty and not has_offsets:
            turn.effects.records += group.tombstones()
        return True
