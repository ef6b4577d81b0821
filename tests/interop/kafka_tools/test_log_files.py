"""Kafka's own dump tool reads the files that we write.

Wants a JVM and Kafka's jars (`make java`); skipped without them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ottla.base.ids import Uuid
from ottla.log.config import LogConfig
from ottla.log.partition_log import PartitionLog
from ottla.transport.disk import LocalDisk
from ottla.wire.records.batch import build_batch, iter_batches
from ottla.wire.records.compression import Codec
from ottla.wire.records.record import Record, iter_records
from tests.golden.dump import DumpedFile, read_dump
from tests.support.java import CLASS_PATH, needs_java

NOW_MS = 1_795_000_000_000
BATCHES = 200

pytestmark = needs_java


def dump(*options: str) -> str:
    """What DumpLogSegments prints; fails the test where it complains."""
    found = subprocess.run(
        ["java", "-cp", CLASS_PATH, "org.apache.kafka.tools.DumpLogSegments", *options],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert "Exception" not in found.stdout + found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed partition of several segments, with all codecs and several epochs."""
    directory = tmp_path_factory.mktemp("data") / "topic-0"
    config = LogConfig(segment_bytes=20_000, index_interval_bytes=1000)
    log = PartitionLog.create(str(directory), Uuid(bytes(15) + b"\x07"), config, disk=LocalDisk())
    for number in range(BATCHES):
        records = [
            Record(
                timestamp=NOW_MS + number * 37 % 500 + index,
                key=b"key-%d" % index if index % 3 else None,
                value=b"value %d " % number * 20 if index % 4 else None,
                headers=(("h", b"%d" % index), ("none", None)) if index % 2 else (),
            )
            for index in range(7)
        ]
        batch = build_batch(
            records,
            codec=Codec(number % 5),
            producer_id=number % 3,
            producer_epoch=0,
            base_sequence=number * 7,
        )
        log.append(batch, leader_epoch=number // 50, now_ms=NOW_MS)
    log.close()
    return directory


def paths(folder: Path, pattern: str) -> list[str]:
    return sorted(str(path) for path in folder.glob(pattern))


@pytest.fixture(scope="module")
def dumped(folder: Path) -> dict[str, DumpedFile]:
    return read_dump(dump("--files", ",".join(paths(folder, "*.log")), "--print-data-log"))


def test_every_batch_is_valid_and_says_what_we_wrote(
    folder: Path, dumped: dict[str, DumpedFile]
) -> None:
    assert len(dumped) == len(paths(folder, "*.log")) > 3
    count = 0
    for path, said in dumped.items():
        ours = list(iter_batches(Path(path).read_bytes()))
        assert len(ours) == len(said.batches)
        for (header, batch), batch_said in zip(ours, said.batches, strict=True):
            assert batch_said.flag("isvalid")
            assert batch_said.number("baseOffset") == header.base_offset
            assert batch_said.number("partitionLeaderEpoch") == header.partition_leader_epoch
            assert batch_said.fields["compresscodec"] == header.codec.name.lower()
            assert batch_said.number("CreateTime") == header.max_timestamp
            for record, record_said in zip(iter_records(batch), batch_said.records, strict=True):
                assert record_said.offset == record.offset
                assert record_said.timestamp == record.timestamp
                assert record_said.header_keys == [key for key, _ in record.headers]
                value = "" if record.value is None else f" payload: {record.value.decode()}"
                key = "" if record.key is None else f" key: {record.key.decode()}"
                assert record_said.text == key + value
            count += 1
    assert count == BATCHES


def test_indexes_pass_the_sanity_check(folder: Path) -> None:
    files = paths(folder, "*index")
    said = dump("--files", ",".join(files), "--index-sanity-check")
    for path in files:
        assert f"{path} passed sanity check." in said or f"{path} is empty." in said


def test_indexes_agree_with_their_logs(folder: Path) -> None:
    """Without an option the tool holds every entry against the log, and prints what differs."""
    files = paths(folder, "*index")
    said = dump("--files", ",".join(files))
    assert "Mismatches" not in said
    assert "Found" not in said
    assert sum(len(file.entries) for file in read_dump(said).values()) > 40
