"""One node's fetch session (KIP-227), from the side that fetches.

The node remembers the partitions; a request says only what changed, and an answer only what is new.
Whatever goes wrong, the next request is a full one, which begins another session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition

NO_SESSION: Final = 0
FIRST_EPOCH: Final = 0
"""In a request: begin a new session, and close the one that is named."""
FINAL_EPOCH: Final = -1
"""In a request: close the session, and begin none."""
EPOCH_MAX: Final = 2**31 - 1


class Target(NamedTuple):
    """What a node shall send of one partition."""

    topic_id: bytes
    leader_epoch: int
    offset: int
    bytes_max: int


class SessionRequest(NamedTuple):
    """What a request says of the session."""

    session_id: int
    epoch: int
    changed: Mapping[TopicPartition, Target]
    """In a full request, all."""
    forgotten: Mapping[TopicPartition, Target]


class FetchSession:
    """Call `plan`, then what became of it: `answered`, `refused` or `lost`."""

    def __init__(self) -> None:
        self.session_id = NO_SESSION
        self._epoch = FIRST_EPOCH
        self._known: dict[TopicPartition, Target] = {}
        self._by_id = False

    @property
    def topics(self) -> dict[bytes, str]:
        """Names by id, of what the node is to send."""
        return {target.topic_id: partition.topic for partition, target in self._known.items()}

    def plan(self, wanted: Mapping[TopicPartition, Target], *, by_id: bool) -> SessionRequest:
        """The next request; `by_id` says in which form it names topics."""
        if by_id is not self._by_id:
            self.lost()  # a session knows topics in one form only
        self._by_id = by_id
        known, self._known = self._known, dict(wanted)
        if self._epoch == FIRST_EPOCH:
            return SessionRequest(self.session_id, FIRST_EPOCH, self._known, {})
        changed = {
            partition: target
            for partition, target in wanted.items()
            if known.get(partition) != target
        }
        forgotten = {
            partition: target
            for partition, target in known.items()
            # By name both are one: nodes forget after they have added.
            if partition not in wanted or (by_id and wanted[partition].topic_id != target.topic_id)
        }
        return SessionRequest(self.session_id, self._epoch, changed, forgotten)

    def answered(self, session_id: int) -> None:
        """The node has answered, and named the session: 0 for none."""
        self.session_id = session_id
        if session_id == NO_SESSION:
            self._epoch = FIRST_EPOCH
        else:
            self._epoch = 1 if self._epoch == EPOCH_MAX else self._epoch + 1

    def refused(self, code: ErrorCode) -> None:
        """The node has refused the whole request."""
        self.lost()
        if code is ErrorCode.FETCH_SESSION_ID_NOT_FOUND:
            self.session_id = NO_SESSION

    def lost(self) -> None:
        """Nobody knows what the node remembers: begin anew."""
        self._epoch = FIRST_EPOCH
