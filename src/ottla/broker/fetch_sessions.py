"""Incremental fetch sessions (KIP-227): a client names its partitions once, then only changes.

The cache has a fixed number of places. A new session takes the place of one that has not been used
for two minutes, or of a smaller one; where there is none to take, the client goes on without.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Rng

NO_SESSION = 0
INITIAL_EPOCH = 0
FINAL_EPOCH = -1
EPOCH_MAX = 2**31 - 1
EVICTABLE_AFTER_MS = 120_000

PartitionKey = tuple[str, bytes, int]
"""Topic name or "" , topic id or zeros, partition: as the client names it."""


class SessionPartition(msgspec.Struct, gc=False):
    """What a client asks of one partition, and what it was last told."""

    topic: str
    topic_id: bytes
    index: int
    fetch_offset: int
    max_bytes: int
    current_leader_epoch: int
    last_fetched_epoch: int
    told_high_watermark: int = -1
    told_log_start_offset: int = -1

    @property
    def key(self) -> PartitionKey:
        return self.topic, self.topic_id, self.index


class FetchSession:
    """The partitions of one client, in the order in which they are served."""

    __slots__ = ("by_id", "epoch", "last_used_ms", "partitions", "session_id")

    def __init__(
        self, session_id: int, partitions: Iterable[SessionPartition], now_ms: int, *, by_id: bool
    ) -> None:
        """`by_id`: the client names topics by their ids, and does so to the session's end."""
        self.session_id = session_id
        self.by_id = by_id
        self.epoch = INITIAL_EPOCH + 1
        self.last_used_ms = now_ms
        self.partitions = {partition.key: partition for partition in partitions}

    def update(
        self, changed: Iterable[SessionPartition], forgotten: Iterable[PartitionKey]
    ) -> None:
        """Take the changes of one incremental request."""
        for key in forgotten:
            self.partitions.pop(key, None)
        for partition in changed:
            known = self.partitions.get(partition.key)
            if known is None:
                self.partitions[partition.key] = partition
                continue
            known.fetch_offset = partition.fetch_offset
            known.max_bytes = partition.max_bytes
            known.current_leader_epoch = partition.current_leader_epoch
            known.last_fetched_epoch = partition.last_fetched_epoch

    def move_to_end(self, partition: SessionPartition) -> None:
        """Serve a partition that just gave data after the others, so that none starves."""
        if self.partitions.pop(partition.key, None) is not None:
            self.partitions[partition.key] = partition


class FetchSessions:
    """All sessions of one broker."""

    def __init__(self, slots: int, rng: Rng) -> None:
        self._slots = slots
        self._rng = rng
        self._sessions: dict[int, FetchSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def create(
        self, partitions: list[SessionPartition], now_ms: int, *, by_id: bool
    ) -> FetchSession | None:
        """A new session, or None where the cache has no place for it."""
        if not self._make_room(len(partitions), now_ms):
            return None
        session = FetchSession(self._unused_id(), partitions, now_ms, by_id=by_id)
        self._sessions[session.session_id] = session
        return session

    def resume(self, session_id: int, epoch: int, now_ms: int, *, by_id: bool) -> FetchSession:
        """The session of an incremental request.

        Raises ProtocolError: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
        FETCH_SESSION_TOPIC_ID_ERROR.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise ProtocolError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND, f"no session {session_id}")
        if session.epoch != epoch:
            raise ProtocolError(
                ErrorCode.INVALID_FETCH_SESSION_EPOCH,
                f"session {session_id} is at epoch {session.epoch}, not {epoch}",
            )
        if session.by_id != by_id:
            raise ProtocolError(
                ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
                f"session {session_id} names topics in another way than this request",
            )
        session.epoch = 1 if epoch == EPOCH_MAX else epoch + 1
        session.last_used_ms = now_ms
        return session

    def close(self, session_id: int) -> None:
        self._sessions.pop(session_id, None)

    def _make_room(self, size: int, now_ms: int) -> bool:
        if len(self._sessions) < self._slots:
            return True
        if not self._sessions:
            return False
        oldest = min(self._sessions.values(), key=lambda session: session.last_used_ms)
        if now_ms - oldest.last_used_ms > EVICTABLE_AFTER_MS:
            self.close(oldest.session_id)
            return True
        smallest = min(self._sessions.values(), key=lambda session: len(session.partitions))
        if len(smallest.partitions) < size:
            self.close(smallest.session_id)
            return True
        return False

    def _unused_id(self) -> int:
        while True:
            session_id = 1 + self._rng.below(2**31 - 1)
            if session_id not in self._sessions:
                return session_id
