"""The engine for one host: a log file, and file locks that die with their holders.

    <data directory>/__cluster_metadata-0/
        <offset>.log .index .timeindex   the log, as Kafka keeps it
        <offset>-<epoch>.checkpoint      the newest snapshot
        quorum-state                     the last election
        leader.lock                      held by the process that leads, with `../.lock`
        node-<id>.session                held by each process that is alive

Several processes of a host may share a directory: one leads and writes, the others read the same
files. Only the leader repairs the log, after it has the lock. An append returns once it is synced.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Sequence

from ottla.base.ids import METADATA_TOPIC_ID, Offset
from ottla.base.limits import MIB
from ottla.base.world import Clock, Disk
from ottla.log.config import LogConfig
from ottla.log.names import segment_base_offset
from ottla.log.partition_log import PartitionLog
from ottla.log.recovery import remove_segment
from ottla.quorum.batches import encode_batch, leader_change_batch, voters_move_batch
from ottla.quorum.contract import (
    ElectionHeldError,
    Leadership,
    LogBatch,
    NodeIdInUseError,
    NotLeaderError,
    QuorumState,
    Snapshot,
    UnexpectedEndError,
    VoterPlace,
    VoterState,
)
from ottla.quorum.locks import Locks, NotedLock, SystemLocks
from ottla.quorum.log_reader import LogReader
from ottla.quorum.quorum_state import read_quorum_state, write_quorum_state
from ottla.quorum.snapshot_files import list_snapshots, read_snapshot, write_snapshot
from ottla.quorum.voters import Voters, check_sole_voter, read_voters, sole_voter
from ottla.wire.schema import Payload

FOLDER = "__cluster_metadata-0"

OTHERS_LOOK_EVERY_S = 0.05
"""How often a process that does not lead looks for new records, or for a lock that became free."""

_LOCK_TRIES = 5
_LOCK_RETRY_S = 0.01
_EVERYTHING = 2**63 - 1
_SESSION = re.compile(r"node-([0-9]+)\.session")
_LOG = LogConfig(max_message_bytes=64 * MIB, segment_ms=2**62)


class EmbeddedQuorum:
    """A `Quorum` on the files of one host."""

    def __init__(
        self, data_directory: str, *, disk: Disk, clock: Clock, locks: Locks | None = None
    ) -> None:
        """Creates the folder where it is missing. Raises OSError.

        `locks` are on paths of `disk`: this machine's where nothing else is said.
        """
        self.data_directory = data_directory
        self.directory = f"{data_directory}/{FOLDER}"
        self._disk = disk
        self._clock = clock
        disk.make_dir(self.directory)
        self._locks = locks or SystemLocks()
        self._lock = self._locks.file(f"{self.directory}/leader.lock")
        self._directory_lock = self._locks.directory(data_directory)
        self._voters = Voters()
        self._session: NotedLock | None = None
        self._log: PartitionLog | None = None
        self._leadership: Leadership | None = None
        self._committed = 0
        self._size_at_snapshot = 0
        self._reader = LogReader(self.directory, disk)
        self._writing = asyncio.Lock()
        self._changed = asyncio.Event()
        self._closed = False

    # ── election ─────────────────────────────────────────────────────────────────────────────────
    async def elect(self, node_id: int, *, wait: bool = True) -> Leadership:
        """See `Quorum.elect`."""
        assert self._leadership is None, "this node leads already"
        note = json.dumps({"node_id": node_id, "pid": os.getpid()})
        while not await self._take_directory(note):
            if not wait:
                raise ElectionHeldError(self._in_use())
            await asyncio.sleep(OTHERS_LOOK_EVERY_S)
        try:
            return await self._begin_epoch(node_id)
        except BaseException:
            self._resign()
            raise

    async def _take_directory(self, note: str) -> bool:
        """Both locks or none: the second is the one that Apache Kafka looks at."""
        if not await _acquire(self._lock, note):
            return False
        try:
            if self._directory_lock.try_acquire():
                return True
        except BaseException:
            self._lock.release()
            raise
        self._lock.release()
        return False

    def _in_use(self) -> str:
        holder = _read_note(self._lock)
        return (
            f"the data directory {self.data_directory} is in use by {holder}: "
            "stop that one first, or give this one a directory of its own"
        )

    async def _begin_epoch(self, node_id: int) -> Leadership:
        self._voters = await asyncio.to_thread(read_voters, self.directory, self._disk)
        check_sole_voter(self._voters, node_id, self.data_directory)
        log = self._log = await asyncio.to_thread(self._open_log)
        last = read_quorum_state(self.directory, self._disk)
        epoch = max(log.last_epoch, last.epoch if last else 0, self._snapshot_epoch()) + 1
        leadership = Leadership(node_id, epoch)
        voters_in_log = self._voters.in_log is not None
        await asyncio.to_thread(
            write_quorum_state,
            self.directory,
            leadership,
            self._disk,
            voters_in_log=voters_in_log,
        )
        now_ms = self._clock.now_ms()
        batch = leader_change_batch(
            node_id, base_offset=log.log_end_offset, epoch=epoch, now_ms=now_ms
        )
        await self._write(log, batch, epoch)
        self._leadership = leadership
        return leadership

    def _open_log(self) -> PartitionLog:
        """Open and repair. All before the newest snapshot was synced before that was written."""
        snapshots = list_snapshots(self.directory, self._disk)
        start = Offset(snapshots[-1].next_offset if snapshots else 0)
        bases = self._remove_segments_before(start)
        if not bases:
            return PartitionLog.create(
                self.directory, METADATA_TOPIC_ID, _LOG, disk=self._disk, start_offset=start
            )
        log = PartitionLog.open(
            self.directory,
            _LOG,
            disk=self._disk,
            clean=False,
            recovery_point=start,
            log_start_offset=start,
        )
        if log.log_end_offset < start:
            log.reset_to(start)
        return log

    def _remove_segments_before(self, start: int) -> list[int]:
        """Remove every segment that a snapshot stands for; the base offsets of those left."""
        found = map(segment_base_offset, self._disk.list_dir(self.directory))
        bases = sorted(base for base in found if base is not None)
        while len(bases) > 1 and bases[1] <= start:
            remove_segment(self._disk, self.directory, bases.pop(0))
        return bases

    def _snapshot_epoch(self) -> int:
        snapshots = list_snapshots(self.directory, self._disk)
        return snapshots[-1].epoch if snapshots else 0

    async def leader(self) -> Leadership | None:
        """See `Quorum.leader`."""
        if self._leadership is not None or not self._lock.is_held_by_anyone():
            return self._leadership
        return read_quorum_state(self.directory, self._disk)

    def describe(self) -> QuorumState:
        """See `Quorum.describe`. Whoever leads is all the voters there are."""
        if self._leadership is None:
            raise NotLeaderError("only the leader knows how far its quorum is")
        node_id = self._leadership.node_id
        voter = VoterState(node_id, self._voters.directory_of(node_id), self._committed)
        return QuorumState(
            leader=self._leadership,
            end_offset=self._committed,
            voters=(voter,),
            kraft_version=self._voters.kraft_version,
        )

    def _resign(self) -> None:
        log, self._log, self._leadership = self._log, None, None
        try:
            if log is not None:
                log.close()
        finally:
            self._directory_lock.release()
            self._lock.release()
            self._announce()

    # ── writing ──────────────────────────────────────────────────────────────────────────────────
    async def append(self, records: Sequence[Payload], *, epoch: int, expected_end: int) -> int:
        """See `Quorum.append`."""
        # Shielded: whoever stops waiting must not leave the log between written and synced.
        return await asyncio.shield(
            asyncio.ensure_future(self._append(records, epoch, expected_end))
        )

    async def _append(self, records: Sequence[Payload], epoch: int, expected_end: int) -> int:
        assert records, "an append has something to say"
        async with self._writing:
            log = self._leading_at(expected_end, epoch)
            now_ms = self._clock.now_ms()
            batch = encode_batch(records, base_offset=expected_end, epoch=epoch, now_ms=now_ms)
            await self._write(log, batch, epoch)
            return self._committed

    async def move_voters_into_log(
        self, place: VoterPlace, *, epoch: int, expected_end: int
    ) -> int:
        """See `Quorum.move_voters_into_log`."""
        return await asyncio.shield(
            asyncio.ensure_future(self._move_voters_into_log(place, epoch, expected_end))
        )

    async def _move_voters_into_log(self, place: VoterPlace, epoch: int, expected_end: int) -> int:
        assert self._voters.in_log is None, "the voters are in the log already"
        async with self._writing:
            log = self._leading_at(expected_end, epoch)
            assert self._leadership is not None
            voters = sole_voter(self._leadership.node_id, place)
            now_ms = self._clock.now_ms()
            batch = voters_move_batch(voters, base_offset=expected_end, epoch=epoch, now_ms=now_ms)
            await self._write(log, batch, epoch)
            self._voters = Voters(in_log=voters)
            return self._committed

    def _leading_at(self, expected_end: int, epoch: int) -> PartitionLog:
        log = self._leading(epoch)
        if log.log_end_offset != expected_end:
            raise UnexpectedEndError(f"the log ends at {log.log_end_offset}, not at {expected_end}")
        return log

    def _leading(self, epoch: int) -> PartitionLog:
        if self._log is None or self._leadership is None or self._leadership.epoch != epoch:
            raise NotLeaderError(f"this node does not lead in epoch {epoch}")
        return self._log

    async def _write(self, log: PartitionLog, batch: bytearray, epoch: int) -> None:
        """Append and sync; only then does anybody see it here."""
        log.append(batch, leader_epoch=epoch, now_ms=self._clock.now_ms())
        plan = log.plan_flush()
        if plan is not None:
            await asyncio.to_thread(plan.run)
            log.complete_flush(plan)
        self._committed = log.log_end_offset
        self._announce()

    # ── reading ──────────────────────────────────────────────────────────────────────────────────
    async def end_offset(self) -> int:
        """See `Quorum.end_offset`. Without the lead it walks the log: not for every call."""
        if self._log is not None:
            return self._committed
        snapshots = list_snapshots(self.directory, self._disk)
        end = snapshots[-1].next_offset if snapshots else 0
        reader = LogReader(self.directory, self._disk)
        try:
            while batches := reader.read(end, end_offset=_EVERYTHING, max_bytes=MIB):
                end = batches[-1].next_offset
        finally:
            reader.close()
        return end

    async def read(self, start_offset: int, *, max_bytes: int = MIB) -> list[LogBatch]:
        """See `Quorum.read`."""
        end_offset = self._visible_end()
        return self._reader.read(start_offset, end_offset=end_offset, max_bytes=max_bytes)

    def _visible_end(self) -> int:
        """Processes that do not lead see what is written, also in the moment before its sync.

        A power loss that takes such a batch takes them too, and a killed leader's successor
        finds it in the file.
        """
        return _EVERYTHING if self._log is None else self._committed

    async def watch(self, start_offset: int) -> AsyncIterator[LogBatch]:
        """See `Quorum.watch`."""
        reader = LogReader(self.directory, self._disk)
        offset = start_offset
        try:
            while not self._closed:
                changed = self._changed
                batches = reader.read(offset, end_offset=self._visible_end(), max_bytes=MIB)
                for batch in batches:
                    yield batch
                    offset = batch.next_offset
                if not batches:
                    await self._wait(changed, look_anyway=self._log is None)
        finally:
            reader.close()

    def _announce(self) -> None:
        """Wake everybody who waits; those who come later wait for the next event."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, changed: asyncio.Event, *, look_anyway: bool) -> None:
        """Until something changed here; what changes in other processes is looked for."""
        try:
            async with asyncio.timeout(OTHERS_LOOK_EVERY_S if look_anyway else None):
                await changed.wait()
        except TimeoutError:
            return

    # ── snapshots ────────────────────────────────────────────────────────────────────────────────
    async def latest_snapshot(self) -> Snapshot | None:
        """See `Quorum.latest_snapshot`."""
        snapshots = list_snapshots(self.directory, self._disk)
        if not snapshots:
            return None
        return read_snapshot(self.directory, snapshots[-1], self._disk)

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """See `Quorum.save_snapshot`."""
        async with self._writing:
            if self._log is None:
                raise NotLeaderError("only the leader replaces records by a snapshot")
            assert snapshot.next_offset <= self._committed
            log = self._log = await asyncio.to_thread(self._replace_by, self._log, snapshot)
            self._size_at_snapshot = log.size_bytes

    def _replace_by(self, log: PartitionLog, snapshot: Snapshot) -> PartitionLog:
        """In this order: without the snapshot's file the records before it must stay."""
        now_ms = self._clock.now_ms()
        write_snapshot(
            self.directory, snapshot, disk=self._disk, now_ms=now_ms, voters=self._voters.in_log
        )
        log.roll(now_ms)
        log.close()
        return self._open_log()

    @property
    def has_failed(self) -> bool:
        """Whether nobody knows what the disk has kept: nothing more is appended, until a start."""
        return self._log is not None and self._log.has_failed

    @property
    def bytes_since_snapshot(self) -> int:
        """See `Quorum.bytes_since_snapshot`."""
        return 0 if self._log is None else self._log.size_bytes - self._size_at_snapshot

    # ── sessions ─────────────────────────────────────────────────────────────────────────────────
    async def open_session(self, node_id: int) -> None:
        """See `Quorum.open_session`."""
        assert self._session is None, "one session for each hold on the quorum"
        session = self._locks.file(f"{self.directory}/node-{node_id}.session")
        if not await _acquire(session, json.dumps({"node_id": node_id, "pid": os.getpid()})):
            raise NodeIdInUseError(
                f"node id {node_id} is in use in the data directory {self.data_directory}, by "
                f"{_read_note(session)}. Stop that one first, or choose another directory with "
                "--data-dir."
            )
        self._session = session
        self._announce()

    async def live_nodes(self) -> frozenset[int]:
        """See `Quorum.live_nodes`."""
        live = set()
        for name in self._disk.list_dir(self.directory):
            found = _SESSION.fullmatch(name)
            if found and self._is_live(f"{self.directory}/{name}"):
                live.add(int(found[1]))
        return frozenset(live)

    def _is_live(self, path: str) -> bool:
        is_ours = self._session is not None and self._session.path == path
        return is_ours or self._locks.file(path).is_held_by_anyone()

    async def watch_sessions(self) -> AsyncIterator[frozenset[int]]:
        """See `Quorum.watch_sessions`."""
        known = None
        while not self._closed:
            changed = self._changed
            live = await self.live_nodes()
            if live != known:
                known = live
                yield live
            else:
                await self._wait(changed, look_anyway=True)

    async def close(self) -> None:
        """See `Quorum.close`."""
        if self._closed:
            return
        self._closed = True
        async with self._writing:
            self._resign()
        if self._session is not None:
            self._session.release()
        self._reader.close()
        self._announce()


async def _acquire(lock: NotedLock, note: str) -> bool:
    """Take a lock unless somebody holds it for longer than a look at it takes."""
    for _ in range(_LOCK_TRIES):
        if lock.try_acquire(note):
            return True
        await asyncio.sleep(_LOCK_RETRY_S)
    return False


def _read_note(lock: NotedLock) -> str:
    """Who holds a lock, in words."""
    try:
        note = json.loads(lock.note())
        return f"process {note['pid']} (node {note['node_id']})"
    except (ValueError, KeyError, TypeError):
        return "another process"
