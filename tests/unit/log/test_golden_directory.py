"""A data directory written by Apache Kafka 4.3.1, read as Kafka's own dump tool reads it."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from ottla.base.ids import TopicPartition, format_uuid
from ottla.log import checkpoints, names
from ottla.log.config import LogConfig
from ottla.log.offset_index import OffsetIndex
from ottla.log.open_files import OpenFiles, PooledFile
from ottla.log.partition_log import PartitionLog
from ottla.log.segment import Segment
from ottla.log.time_index import TimeIndex
from ottla.testing.memory_disk import MemoryDisk
from ottla.transport.disk import LocalDisk
from ottla.wire.records.batch import BatchHeader, crc_matches, iter_batches
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.record import Record, iter_records
from tests.golden.dump import DUMP, GOLDEN, DumpedBatch, DumpedRecord, read_dump

FILES = read_dump(DUMP.read_text())
LOGS = [name for name in FILES if name.endswith(".log")]
INDEXES = [name for name in FILES if name.endswith((".index", ".timeindex"))]
PARTITIONS = sorted({name.rpartition("/")[0] for name in LOGS})


def copied(partition: str) -> MemoryDisk:
    """The folder of one partition, on a disk of its own."""
    disk = MemoryDisk()
    disk.make_dir(partition)
    for path in (GOLDEN / partition).iterdir():
        disk.open(f"{partition}/{path.name}", create=True).append([path.read_bytes()])
    return disk


def offsets_of(checkpoint: str) -> dict[TopicPartition, int]:
    return checkpoints.decode_offsets((GOLDEN / checkpoint).read_bytes())


def opened(partition: str, disk: MemoryDisk, *, clean: bool = True) -> PartitionLog:
    key = names.folder_partition(partition)
    assert key is not None
    return PartitionLog.open(
        partition,
        LogConfig(cleanup_policy=("compact",) if partition == "compacted-0" else ("delete",)),
        disk=disk,
        clean=clean,
        recovery_point=offsets_of(checkpoints.RECOVERY_POINTS).get(key, 0) if clean else 0,  # type: ignore[arg-type]  # a plain number
        log_start_offset=offsets_of(checkpoints.LOG_START_OFFSETS).get(key, 0),  # type: ignore[arg-type]  # a plain number
    )


@pytest.mark.parametrize("name", [*LOGS, "bootstrap.checkpoint"])
def test_every_batch_and_record_is_what_the_dump_says(name: str) -> None:
    content = (GOLDEN / name).read_bytes()
    position = 0
    found = list(iter_batches(content))
    assert len(found) == len(FILES[name].batches)
    for (header, batch), dumped in zip(found, FILES[name].batches, strict=True):
        assert dumped.number("position") == position
        check_header(header, dumped)
        assert crc_matches(batch, header)
        check_records(header, list(iter_records(batch)), dumped.records)
        position += header.size
    assert position == len(content)


def check_header(header: BatchHeader, dumped: DumpedBatch) -> None:
    time_name = "LogAppendTime" if header.timestamp_type else "CreateTime"
    assert header.base_offset == dumped.number("baseOffset")
    assert header.last_offset == dumped.number("lastOffset")
    assert header.record_count == dumped.number("count")
    assert header.base_sequence == dumped.number("baseSequence")
    assert header.last_sequence == dumped.number("lastSequence")
    assert header.producer_id == dumped.number("producerId")
    assert header.producer_epoch == dumped.number("producerEpoch")
    assert header.partition_leader_epoch == dumped.number("partitionLeaderEpoch")
    assert header.is_transactional == dumped.flag("isTransactional")
    assert header.is_control == dumped.flag("isControl")
    assert header.delete_horizon_ms is None
    assert dumped.fields["deleteHorizonMs"] == "OptionalLong.empty"
    assert header.max_timestamp == dumped.number(time_name)
    assert header.size == dumped.number("size")
    assert header.magic == dumped.number("magic")
    assert header.codec.name.lower() == dumped.fields["compresscodec"]
    assert header.crc == dumped.number("crc")


def check_records(
    header: BatchHeader, records: list[Record], dumped_records: list[DumpedRecord]
) -> None:
    for index, (record, dumped) in enumerate(zip(records, dumped_records, strict=True)):
        assert record.offset == dumped.offset
        assert record.timestamp == dumped.timestamp
        assert (-1 if record.key is None else len(record.key)) == dumped.key_size
        assert (-1 if record.value is None else len(record.value)) == dumped.value_size
        assert [key for key, _ in record.headers] == dumped.header_keys
        if header.base_sequence >= 0:
            assert header.base_sequence + index == dumped.sequence
        check_text(header, record, dumped.text)


def check_text(header: BatchHeader, record: Record, text: str) -> None:
    """Keys and values that the tool prints as they are; the decoded ones belong to other tests."""
    if header.is_control:
        kind = control_type(record.key)
        if kind in (ControlType.ABORT, ControlType.COMMIT):
            assert record.value is not None
            version, epoch = struct.unpack(">hi", record.value)
            assert version == 0
            assert f"endTxnMarker: {kind.name} coordinatorEpoch: {epoch}" in text
        else:
            assert kind.name.replace("_", "").lower() in text.lower()
        return
    if '{"type":' in text:
        return
    key = "" if record.key is None else f" key: {record.key.decode()}"
    value = "" if record.value is None else f" payload: {record.value.decode()}"
    assert text == key + value


@pytest.mark.parametrize("name", INDEXES)
def test_every_index_entry_is_what_the_dump_says(name: str) -> None:
    files = OpenFiles(LocalDisk())
    base_offset = int(re.findall(r"\d{20}", name)[0])
    file = PooledFile(files, str(GOLDEN / name))
    index: OffsetIndex | TimeIndex
    if name.endswith(".timeindex"):
        index = TimeIndex(file, base_offset, fresh=False)
    else:
        index = OffsetIndex(file, base_offset, fresh=False)
    assert index.entries() == FILES[name].entries


@pytest.mark.parametrize("name", LOGS)
def test_rebuilt_indexes_are_the_bytes_that_kafka_wrote(name: str) -> None:
    partition, _, file_name = name.rpartition("/")
    disk = copied(partition)
    base_offset = names.segment_base_offset(file_name)
    assert base_offset is not None
    segment = Segment(partition, base_offset, LogConfig(), OpenFiles(disk), fresh=True)
    segment.rebuild(lambda _: None)
    segment.seal()
    stem = name.removesuffix(".log")
    for suffix in (".index", ".timeindex"):
        assert disk.read_file(stem + suffix) == (GOLDEN / (stem + suffix)).read_bytes()


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "unclean"])
@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_partition_opens_with_its_offsets_epochs_and_id(partition: str, clean: bool) -> None:
    log = opened(partition, copied(partition), clean=clean)
    key = names.folder_partition(partition)
    assert key is not None
    ends = [
        batch.number("lastOffset") + 1
        for name in LOGS
        if name.startswith(f"{partition}/")
        for batch in FILES[name].batches
    ]
    assert log.log_end_offset == max(ends, default=0)
    assert log.log_start_offset == offsets_of(checkpoints.LOG_START_OFFSETS).get(key, 0)
    # An epoch that began where the log ends has written nothing: it is noted when it leads again.
    stored = checkpoints.decode_epochs((GOLDEN / partition / names.LEADER_EPOCHS).read_bytes())
    assert log.epochs == [entry for entry in stored if entry[1] < log.log_end_offset]
    stated = (GOLDEN / partition / names.PARTITION_METADATA).read_text().rpartition(" ")[2]
    assert format_uuid(log.topic_id) == stated


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "unclean"])
@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_partition_is_read_batch_by_batch(partition: str, clean: bool) -> None:
    log = opened(partition, copied(partition), clean=clean)
    offset = log.log_start_offset
    found: list[int] = []
    while slice_ := log.read(offset, 1, end_offset=log.log_end_offset, min_one_batch=True):
        batch = slice_.file.read_at(slice_.position, slice_.length)
        ((header, _),) = iter_batches(batch)
        assert header.base_offset == slice_.base_offset
        found.append(header.base_offset)
        offset = header.next_offset  # type: ignore[assignment]  # a plain number
    dumped = [
        batch.number("baseOffset")
        for name in sorted(LOGS)
        if name.startswith(f"{partition}/")
        for batch in FILES[name].batches
        if batch.number("lastOffset") >= log.log_start_offset
    ]
    assert found == dumped


def test_opening_and_closing_a_folder_of_kafka_changes_nothing_in_it() -> None:
    for partition in PARTITIONS:
        disk = copied(partition)
        opened(partition, disk).close()
        for path in (GOLDEN / partition).iterdir():
            if path.name == names.LEADER_EPOCHS and partition == "idempotent-2":
                continue  # the epoch of an empty log goes, as it does in Kafka
            if path.name.endswith(names.DELETED_SUFFIX):
                assert not disk.exists(f"{partition}/{path.name}"), "compaction left it behind"
                continue
            assert disk.read_file(f"{partition}/{path.name}") == path.read_bytes(), path


@pytest.mark.parametrize(
    "name",
    [
        checkpoints.RECOVERY_POINTS,
        checkpoints.LOG_START_OFFSETS,
        checkpoints.HIGH_WATERMARKS,
        checkpoints.CLEANER_OFFSETS,
    ],
)
def test_checkpoints_of_offsets_decode_and_encode_to_their_bytes(name: str) -> None:
    content = (GOLDEN / name).read_bytes()
    assert checkpoints.encode_offsets(checkpoints.decode_offsets(content)) == content


@pytest.mark.parametrize("partition", PARTITIONS)
def test_small_files_of_a_partition_decode_and_encode_to_their_bytes(partition: str) -> None:
    folder: Path = GOLDEN / partition
    epochs = (folder / names.LEADER_EPOCHS).read_bytes()
    assert checkpoints.encode_epochs(checkpoints.decode_epochs(epochs)) == epochs
    metadata = (folder / names.PARTITION_METADATA).read_bytes()
    topic_id = checkpoints.decode_partition_metadata(metadata)
    assert checkpoints.encode_partition_metadata(topic_id) == metadata


def test_meta_properties_and_the_mark_of_a_clean_shutdown() -> None:
    meta = checkpoints.decode_meta_properties((GOLDEN / "meta.properties").read_bytes())
    assert (meta.cluster_id, meta.node_id) == ("GoldenClusterIdAAAAAAAA", 1)
    assert format_uuid(meta.directory_id) == "PSRvHo3ma2jRI3gCjII4kg"
    assert checkpoints.decode_meta_properties(checkpoints.encode_meta_properties(meta)) == meta
    mark = (GOLDEN / checkpoints.CLEAN_SHUTDOWN).read_bytes()
    assert checkpoints.decode_clean_shutdown(mark) == 11
    assert checkpoints.encode_clean_shutdown(11) == mark.rstrip()
