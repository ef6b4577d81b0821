"""What an engine of the metadata log promises; `tests/contract/quorum.py` holds each one to it.

The log is a sequence of batches. A batch is written whole or not at all, in the epoch of the node
that was elected to write, and never changes. Offsets count records, control records included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from ottla.base.errors import UserError
from ottla.wire.schema import Payload


class LogBatch(Struct, frozen=True, kw_only=True):
    """One batch; `records` is empty where it holds only control records.

    `next_offset - base_offset` counts control records too.
    """

    base_offset: int
    next_offset: int
    epoch: int
    timestamp_ms: int
    records: tuple[Payload, ...]


class Snapshot(Struct, frozen=True, kw_only=True):
    """The shortest log that gives the image of all records before `next_offset`.

    `epoch` and `timestamp_ms` are those of the last of them.
    """

    next_offset: int
    epoch: int
    timestamp_ms: int
    records: tuple[Payload, ...]


class Leadership(NamedTuple):
    """Who may write, and since which election."""

    node_id: int
    epoch: int


class VoterState(NamedTuple):
    """One voter; `directory_id` is zero where voters are fixed and not in the log (KIP-853)."""

    node_id: int
    directory_id: bytes
    end_offset: int


class VoterPlace(NamedTuple):
    """Where a voter keeps the log and where it listens: name, host and port of each listener."""

    directory_id: bytes
    listeners: tuple[tuple[str, str, int], ...]


class QuorumState(Struct, frozen=True, kw_only=True):
    """The quorum as its leader sees it."""

    leader: Leadership
    end_offset: int
    """After the last committed record."""
    voters: tuple[VoterState, ...]
    kraft_version: int
    """1 where the voters are in the log, 0 where they are fixed."""


class QuorumError(Exception):
    """An append or a read that cannot be; nothing was written."""


class NotLeaderError(QuorumError):
    """The node does not lead, or not in this epoch: somebody else was elected."""


class UnexpectedEndError(QuorumError):
    """The log ends elsewhere than its writer believes: it must read on first."""


class SnapshotNeededError(QuorumError):
    """The log no longer has that offset: the latest snapshot stands for it."""


class ElectionHeldError(UserError):
    """Another process leads, and this one did not want to wait."""


class NodeIdInUseError(UserError):
    """Another process has a session under the same node id."""


class Quorum(Protocol):
    """One node's hold on the metadata log. Every method may raise OSError or its engine's own."""

    async def elect(self, node_id: int, *, wait: bool = True) -> Leadership:
        """Lead, in an epoch greater than every earlier one.

        The log then begins this epoch with a LeaderChange control record, so nothing of an
        earlier leader can follow. Without `wait`, ElectionHeldError while another leads.
        """
        ...

    async def leader(self) -> Leadership | None:
        """Who leads, as far as this node knows; None while nobody does."""
        ...

    def describe(self) -> QuorumState:
        """Voters, and how far each is. Raises NotLeaderError."""
        ...

    async def append(self, records: Sequence[Payload], *, epoch: int, expected_end: int) -> int:
        """Write one batch that begins at `expected_end`; the offset after it.

        Returns once the batch survives whatever the engine survives (a power loss, or the loss of
        a minority). Raises NotLeaderError and UnexpectedEndError, and then nothing was written;
        after any other error the batch may or may not be in the log.
        """
        ...

    async def move_voters_into_log(
        self, place: VoterPlace, *, epoch: int, expected_end: int
    ) -> int:
        """From fixed voters, this node, to records of the log (KIP-853); the offset after them.

        Raises as `append` does. There is no way back, and it is done once.
        """
        ...

    async def end_offset(self) -> int:
        """The offset after the last committed record."""
        ...

    async def read(self, start_offset: int, *, max_bytes: int = 1 << 20) -> list[LogBatch]:
        """Committed batches from the one that holds `start_offset` on; none at the end.

        At least one batch, however large. Raises SnapshotNeededError.
        """
        ...

    def watch(self, start_offset: int) -> AsyncIterator[LogBatch]:
        """Committed batches from `start_offset` on, and then each new one as it comes.

        Ends when the quorum is closed. Raises SnapshotNeededError.
        """
        ...

    async def latest_snapshot(self) -> Snapshot | None:
        """The newest snapshot; None where the log has all records since its beginning."""
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot in the place of all records before it. Raises NotLeaderError."""
        ...

    @property
    def bytes_since_snapshot(self) -> int:
        """How much a new snapshot would save, on the node that leads; 0 elsewhere."""
        ...

    async def open_session(self, node_id: int) -> None:
        """Be alive under this id until `close`, or until the process or its host dies.

        Raises NodeIdInUseError.
        """
        ...

    async def live_nodes(self) -> frozenset[int]:
        """The ids under which somebody is alive."""
        ...

    def watch_sessions(self) -> AsyncIterator[frozenset[int]]:
        """The ids under which somebody is alive, now and after each change. Ends with `close`."""
        ...

    async def close(self) -> None:
        """Resign, end the session, let go of everything. Closing twice is fine."""
        ...
