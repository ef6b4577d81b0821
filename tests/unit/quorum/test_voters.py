"""A node leads only in its own name, and does not lose what the log says of voters."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from pathlib import Path

import pytest

from ottla.base.errors import UserError
from ottla.quorum.batches import voters_batches
from ottla.quorum.contract import ElectionHeldError, Snapshot
from ottla.quorum.directory_lock import DirectoryLock, is_in_use
from ottla.quorum.embedded import EmbeddedQuorum
from ottla.quorum.offline import read_offline
from ottla.quorum.snapshot_files import SnapshotId, write_snapshot
from ottla.quorum.voters import read_voters
from ottla.transport.clock import SystemClock
from ottla.transport.disk import LocalDisk
from ottla.wire.payloads.control import KRaftVersionFeature, Voter, VotersRecord
from ottla.wire.payloads.metadata import NoOpRecord

DIRECTORY_ID = bytes(range(16))


def voters(*node_ids: int) -> VotersRecord:
    feature = KRaftVersionFeature(min_supported_version=0, max_supported_version=1)
    return VotersRecord(
        version=0,
        voters=[
            Voter(
                voter_id=node_id,
                voter_directory_id=DIRECTORY_ID,
                endpoints=[],
                kraft_version_feature=feature,
            )
            for node_id in node_ids
        ],
    )


def folder(place: Path) -> Path:
    made = place / "__cluster_metadata-0"
    made.mkdir(exist_ok=True)
    return made


def put_first_snapshot(place: Path, *node_ids: int) -> None:
    """As Kafka formats a directory whose voters are in the log."""
    write_snapshot(
        str(folder(place)),
        Snapshot(next_offset=0, epoch=0, timestamp_ms=0, records=()),
        disk=LocalDisk(),
        now_ms=1,
        voters=voters(*node_ids),
    )


def quorum(place: Path) -> EmbeddedQuorum:
    return EmbeddedQuorum(str(place), disk=LocalDisk(), clock=SystemClock())


async def led(place: Path, *, snapshot: bool = False) -> None:
    """Lead once, write a record, and close."""
    engine = quorum(place)
    try:
        leadership = await engine.elect(1, wait=False)
        start = await engine.end_offset()
        end = await engine.append([NoOpRecord()], epoch=leadership.epoch, expected_end=start)
        if snapshot:
            saved = Snapshot(next_offset=end, epoch=leadership.epoch, timestamp_ms=1, records=())
            await engine.save_snapshot(saved)
    finally:
        await engine.close()


def test_voters_in_the_log_survive_a_snapshot(tmp_path: Path) -> None:
    put_first_snapshot(tmp_path, 1)
    asyncio.run(led(tmp_path, snapshot=True))
    found = read_voters(str(folder(tmp_path)), LocalDisk())
    assert found.in_log == voters(1)
    assert not (folder(tmp_path) / SnapshotId(0, 0).file_name).exists()
    state = json.loads((folder(tmp_path) / "quorum-state").read_text())
    assert state["data_version"] == 1
    assert "currentVoters" not in state


def test_the_leader_tells_where_its_voters_are(tmp_path: Path) -> None:
    async def told(place: Path) -> tuple[int, list[tuple[int, bytes]]]:
        engine = quorum(place)
        try:
            await engine.elect(1, wait=False)
            state = engine.describe()
        finally:
            await engine.close()
        return state.kraft_version, [(each.node_id, each.directory_id) for each in state.voters]

    fixed, in_log = tmp_path / "fixed", tmp_path / "in-log"
    in_log.mkdir()
    put_first_snapshot(in_log, 1)
    assert asyncio.run(told(fixed)) == (0, [(1, bytes(16))])
    assert asyncio.run(told(in_log)) == (1, [(1, voters(1).voters[0].voter_directory_id)])


def test_a_fixed_voter_stays_one(tmp_path: Path) -> None:
    asyncio.run(led(tmp_path, snapshot=True))
    found = read_voters(str(folder(tmp_path)), LocalDisk())
    assert found.in_log is None
    assert found.ids == {1}


def test_a_quorum_of_several_in_the_log_is_not_led_alone(tmp_path: Path) -> None:
    put_first_snapshot(tmp_path, 1, 2, 3)
    with pytest.raises(UserError, match="nodes 1, 2, 3"):
        asyncio.run(led(tmp_path))


def test_the_voter_of_another_node_in_the_log_is_not_replaced(tmp_path: Path) -> None:
    put_first_snapshot(tmp_path, 7)
    with pytest.raises(UserError, match="quorum"):
        asyncio.run(led(tmp_path))


def test_a_fixed_quorum_of_several_is_not_led_alone(tmp_path: Path) -> None:
    state = {"leaderId": 2, "leaderEpoch": 3, "currentVoters": [{"voterId": 1}, {"voterId": 2}]}
    (folder(tmp_path) / "quorum-state").write_text(json.dumps(state))
    with pytest.raises(UserError, match="nodes 1, 2"):
        asyncio.run(led(tmp_path))
    assert list(folder(tmp_path).glob("*.log")) == []


def test_voters_batches_take_the_offsets_that_they_say() -> None:
    first, second = voters_batches(voters(1), base_offset=5, now_ms=1)
    assert (first[7], second[7]) == (5, 6)


def hold(path: str, held: object, release: object) -> None:
    """In another process, as Kafka's would be."""
    assert DirectoryLock(path).try_acquire()
    held.set()  # type: ignore[attr-defined] # an Event, whose type is private
    release.wait()  # type: ignore[attr-defined] # the same


def test_a_directory_that_another_process_has_is_in_use(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    assert not is_in_use(str(tmp_path))
    assert not (tmp_path / ".lock").exists()
    process = context.Process(target=hold, args=(str(tmp_path), held, release))
    process.start()
    try:
        assert held.wait(30)
        assert is_in_use(str(tmp_path))
        with pytest.raises(ElectionHeldError):
            asyncio.run(led(tmp_path))
    finally:
        release.set()
        process.join()
    assert not is_in_use(str(tmp_path))
    asyncio.run(led(tmp_path))


def test_what_a_quorum_has_written_can_be_read_without_it(tmp_path: Path) -> None:
    asyncio.run(led(tmp_path))
    found = read_offline(str(tmp_path), LocalDisk())
    assert (found.unknown, found.problems) == ([], [])
    assert found.image.next_offset == 2


def test_records_that_are_not_known_are_told(tmp_path: Path) -> None:
    asyncio.run(led(tmp_path))
    (log,) = folder(tmp_path).glob("*.log")
    from ottla.wire.records.batch import build_batch
    from ottla.wire.records.record import Record

    strange = build_batch([Record(timestamp=1, value=b"\1\x7f\0\0")], base_offset=2, leader_epoch=1)
    log.write_bytes(log.read_bytes() + strange)
    found = read_offline(str(tmp_path), LocalDisk())
    assert found.unknown == ["no metadata record has key 127"]
    assert found.image.next_offset == 3
