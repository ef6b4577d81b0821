"""Kafka's own dump tool reads the snapshots of producers that we write.

Wants a JVM and Kafka's jars (`make java`); skipped without them.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from ottla.base.ids import Uuid
from ottla.log.config import LogConfig
from ottla.log.partition_log import PartitionLog
from ottla.log.producer_snapshots import decode_snapshot
from ottla.transport.disk import LocalDisk
from ottla.wire.records.batch import build_batch, read_header
from ottla.wire.records.record import Record
from tests.support.java import CLASS_PATH, needs_java

NOW_MS = 1_795_000_000_000
LAST_SEQUENCE = 2**31 - 1

pytestmark = needs_java


def dump(files: list[Path]) -> str:
    """What DumpLogSegments prints; fails the test where it complains."""
    tool = "org.apache.kafka.tools.DumpLogSegments"
    names = ",".join(map(str, files))
    command = ["java", "-cp", CLASS_PATH, tool, "--files", names]
    found = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert found.returncode == 0, found.stderr
    assert "Exception" not in found.stdout + found.stderr
    return found.stdout


def produced(directory: Path) -> None:
    """A closed partition of a few segments: three producers, one of them wraps around."""
    config = LogConfig(segment_bytes=2000)
    log = PartitionLog.create(str(directory), Uuid(bytes(15) + b"\x07"), config, disk=LocalDisk())
    following = {0: 0, 1: LAST_SEQUENCE - 8, 2: 0}
    for number in range(60):
        producer, count = number % 3, number % 4 + 1
        batch = memoryview(
            build_batch(
                [Record(timestamp=NOW_MS + number, key=None, value=b"value")] * count,
                producer_id=producer,
                producer_epoch=producer,
                base_sequence=following[producer],
            )
        )
        following[producer] = (following[producer] + count) & LAST_SEQUENCE
        log.stage(batch, read_header(batch), 0, NOW_MS)
        log.commit()
    log.close()


def test_kafka_reads_in_our_snapshots_what_we_wrote(tmp_path: Path) -> None:
    produced(tmp_path / "topic-0")
    files = sorted((tmp_path / "topic-0").glob("*.snapshot"))
    assert len(files) > 2
    expected = []
    for file in files:
        for producer_id, state in decode_snapshot(file.read_bytes()):
            (last,) = state.batches
            expected.append(
                f"producerId: {producer_id} producerEpoch: {state.epoch} "
                f"coordinatorEpoch: -1 currentTxnFirstOffset: OptionalLong.empty "
                f"lastTimestamp: {state.timestamp} firstSequence: {last.base_sequence} "
                f"lastSequence: {last.last_sequence} lastOffset: {last.last_offset} "
                f"offsetDelta: {last.offset_delta} timestamp: {last.timestamp}"
            )
    said = dump(files)
    assert re.findall(r"^producerId: .*$", said, re.MULTILINE) == expected
