"""The embedded engine: the contract, and what only files can do wrong."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ottla.log.errors import StorageError
from ottla.metadata.image import MetadataImage
from ottla.metadata.replay import replayed
from ottla.quorum.contract import ElectionHeldError, Quorum, Snapshot
from ottla.quorum.embedded import EmbeddedQuorum
from ottla.transport.clock import SystemClock
from ottla.transport.disk import LocalDisk, LocalFile
from tests.contract.quorum import QuorumContract, everything, on_loop, records_of, topic


def open_quorum(place: Path, disk: LocalDisk | None = None) -> EmbeddedQuorum:
    return EmbeddedQuorum(str(place), disk=disk or LocalDisk(), clock=SystemClock())


class TestEmbeddedQuorum(QuorumContract):
    """Every promise of the contract."""

    async def join(self, place: Path) -> Quorum:
        return open_quorum(place)


HOLD_AND_APPEND = """
import asyncio, sys
from ottla.quorum.embedded import EmbeddedQuorum
from ottla.transport.clock import SystemClock
from ottla.transport.disk import LocalDisk
from ottla.wire.payloads.metadata import TopicRecord

async def main():
    quorum = EmbeddedQuorum(sys.argv[1], disk=LocalDisk(), clock=SystemClock())
    await quorum.open_session(9)
    leadership = await quorum.elect(9)
    record = TopicRecord(name="topic-1", topic_id=(1).to_bytes(16, "big"))
    await quorum.append([record], epoch=leadership.epoch, expected_end=1)
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


class Holder:
    """Another process that leads."""

    def __init__(self, place: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD_AND_APPEND, str(place)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def holder(tmp_path: Path) -> Holder:
    return Holder(tmp_path)


@on_loop
async def test_a_second_process_is_refused_with_directory_and_holder(
    tmp_path: Path, holder: Holder
) -> None:
    quorum = open_quorum(tmp_path)
    try:
        with pytest.raises(ElectionHeldError) as refusal:
            await quorum.elect(1, wait=False)
        assert str(tmp_path) in str(refusal.value)
        assert f"process {holder.process.pid} (node 9)" in str(refusal.value)
        assert await quorum.live_nodes() == {9}
        assert await quorum.leader() == (9, 1)
        assert records_of(await everything(quorum)) == [topic(1)]
    finally:
        holder.kill()
        await quorum.close()


@on_loop
async def test_a_killed_leader_is_followed_at_once_and_its_records_stay(
    tmp_path: Path, holder: Holder
) -> None:
    quorum = open_quorum(tmp_path)
    waiting = asyncio.ensure_future(quorum.elect(1))
    holder.kill()
    leadership = await waiting
    assert leadership.epoch == 2
    assert await quorum.live_nodes() == frozenset()
    assert records_of(await everything(quorum)) == [topic(1)]
    await quorum.close()


@pytest.mark.parametrize(
    "tail", [b"\x00" * 200, b"garbage", b"\x00" * 7 + b"\x02" + b"\xff" * 90, b"half a batch"]
)
@on_loop
async def test_a_torn_tail_is_cut_and_never_read(tmp_path: Path, tail: bytes) -> None:
    quorum = open_quorum(tmp_path)
    leadership = await quorum.elect(1)
    await quorum.append([topic(1)], epoch=leadership.epoch, expected_end=1)
    await quorum.close()
    log = tmp_path / "__cluster_metadata-0" / f"{0:020d}.log"
    whole = log.read_bytes()
    if tail == b"half a batch":
        tail = whole[-50:]
    log.write_bytes(whole + tail)

    again = open_quorum(tmp_path)
    assert records_of(await everything(again)) == [topic(1)]
    leadership = await again.elect(1)
    assert log.read_bytes()[: len(whole)] == whole
    assert await again.append([topic(2)], epoch=leadership.epoch, expected_end=3) == 4
    assert records_of(await everything(again)) == [topic(1), topic(2)]
    await again.close()


@on_loop
async def test_the_folder_looks_like_kafkas(tmp_path: Path) -> None:
    quorum = open_quorum(tmp_path)
    leadership = await quorum.elect(4)
    await quorum.append([topic(1)], epoch=leadership.epoch, expected_end=1)
    folder = tmp_path / "__cluster_metadata-0"
    assert json.loads((folder / "quorum-state").read_text()) == {
        "clusterId": "",
        "leaderId": 4,
        "leaderEpoch": 1,
        "votedId": -1,
        "appliedOffset": 0,
        "currentVoters": [{"voterId": 4}],
        "data_version": 0,
    }
    assert (folder / "partition.metadata").read_text() == (
        "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"
    )
    await quorum.save_snapshot(Snapshot(next_offset=2, epoch=1, timestamp_ms=5, records=()))
    names = {path.name for path in folder.iterdir()}
    assert f"{2:020d}-{1:010d}.checkpoint" in names
    assert {name for name in names if name.endswith(".log")} == {f"{2:020d}.log"}
    await quorum.close()


@on_loop
async def test_a_damaged_snapshot_is_an_error_and_not_an_empty_cluster(tmp_path: Path) -> None:
    quorum = open_quorum(tmp_path)
    await quorum.elect(4)
    await quorum.save_snapshot(
        Snapshot(next_offset=1, epoch=1, timestamp_ms=5, records=(topic(1),))
    )
    (file,) = (tmp_path / "__cluster_metadata-0").glob("*.checkpoint")
    whole = file.read_bytes()
    for damaged in (whole[:-70], whole[:100] + b"\xff" + whole[101:]):
        file.write_bytes(damaged)
        with pytest.raises(Exception, match=r"CORRUPT_MESSAGE.*checkpoint cannot be read"):
            await quorum.latest_snapshot()
    await quorum.close()


class FailingDisk(LocalDisk):
    """A disk whose files cannot be synced any more once `fails` is set."""

    fails = False

    def open(self, path: str, *, create: bool = False) -> LocalFile:
        disk = self

        class FailingFile(LocalFile):
            def sync(self) -> None:
                if disk.fails:
                    raise OSError(errno.EIO, "the disk is broken")
                super().sync()

        opened = super().open(path, create=create)
        return FailingFile(path, os.dup(opened.fileno()))


@on_loop
async def test_after_a_failed_sync_nothing_more_is_written(tmp_path: Path) -> None:
    disk = FailingDisk()
    quorum = open_quorum(tmp_path, disk)
    leadership = await quorum.elect(1)
    await quorum.append([topic(1)], epoch=leadership.epoch, expected_end=1)
    disk.fails = True
    with pytest.raises(StorageError):
        await quorum.append([topic(2)], epoch=leadership.epoch, expected_end=2)
    disk.fails = False
    assert await quorum.end_offset() == 2
    assert records_of(await everything(quorum)) == [topic(1)]
    for end in (2, 3):
        with pytest.raises(Exception, match=r"sync|ends at"):
            await quorum.append([topic(3)], epoch=leadership.epoch, expected_end=end)
    await quorum.close()


@on_loop
async def test_a_log_that_kafka_wrote_is_read_and_continued(tmp_path: Path) -> None:
    folder = tmp_path / "__cluster_metadata-0"
    folder.mkdir()
    golden = Path(__file__).parents[1] / "golden" / "metadata" / f"{0:020d}.log"
    (folder / golden.name).write_bytes(golden.read_bytes())
    quorum = open_quorum(tmp_path)
    image = MetadataImage(cluster_id="GoldenClusterIdAAAAAAAA")
    for batch in await everything(quorum):
        image, _ = replayed(image, batch.records, next_offset=batch.next_offset, epoch=batch.epoch)
    assert len(image.topics_by_name) == 12
    assert image.next_offset == await quorum.end_offset() == 163
    assert await quorum.elect(1) == (1, 2)
    assert await quorum.append([topic(1)], epoch=2, expected_end=164) == 165
    await quorum.close()
