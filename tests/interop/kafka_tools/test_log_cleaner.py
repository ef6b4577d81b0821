"""Apache Kafka's own cleaner and ours compact the same log: what stays is the same.

A broker of Kafka's writes the log, transactions and idempotent producers included, with its cleaner
turned off; then each of the two compacts a copy. Wants a JVM and Kafka's jars (`make java`).
"""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from ottla.base.ids import TopicPartition
from ottla.log.aborted_transactions import decode_aborted
from ottla.log.checkpoints import CLEANER_OFFSETS, decode_offsets
from ottla.log.compaction.cleaner import compact
from ottla.log.compaction.plan import plan_compaction
from ottla.log.config import LogConfig
from ottla.log.partition_log import PartitionLog
from ottla.transport.disk import LocalDisk
from ottla.wire.records.batch import BatchHeader, iter_batches
from ottla.wire.records.record import Record, iter_records
from tests.clients.admin import Admin
from tests.support.free_ports import free_port
from tests.support.java import CLASS_PATH, needs_java
from tests.support.waiting import wait_until

pytestmark = [needs_java, pytest.mark.interop]

HOUR_MS = 3_600_000
SEGMENT_MS = 3000
ROUNDS = 85
START_SECONDS_MAX = 60
FOLDER = "compacted-0"
SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
log.cleaner.enable={cleaner}
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=2097152
"""


class KafkaServer:
    """One node of Apache Kafka, broker and controller, with its data in a folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._folder = folder
        self._properties = folder / "server.properties"
        self._port, self._controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self._port}"
        self._write_settings(cleans=False)
        self._java("kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c")

    def _write_settings(self, *, cleans: bool) -> None:
        ports = {"port": self._port, "controller": self._controller}
        text = SETTINGS.format(data=self.data, cleaner=str(cleans).lower(), **ports)
        self._properties.write_text(text)

    def _java(self, *words: str) -> None:
        command = ["java", "-cp", CLASS_PATH, *words, str(self._properties)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    @contextmanager
    def running(self, *, cleans: bool) -> Iterator[None]:
        self._write_settings(cleans=cleans)
        command = ["java", "-Xmx400m", "-cp", CLASS_PATH, "kafka.Kafka", str(self._properties)]
        with (self._folder / "output").open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_until(self._accepts, "Kafka starts", seconds=START_SECONDS_MAX)
            yield
        finally:
            process.terminate()
            process.wait(START_SECONDS_MAX)

    def _accepts(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


class Writers:
    """Producers of all kinds that write the same keys."""

    def __init__(self, bootstrap: str, rng: random.Random) -> None:
        self._rng = rng
        common = {"bootstrap.servers": bootstrap, "linger.ms": 5}
        self.plain = Producer({**common, "compression.type": "lz4"})
        self._idempotent = Producer({**common, "enable.idempotence": True})
        self._transactional = [
            Producer({**common, "transactional.id": "x", "compression.type": "gzip"}),
            Producer({**common, "transactional.id": "y"}),
        ]
        for producer in self._transactional:
            producer.init_transactions(START_SECONDS_MAX)

    def write(self, producer: Producer, count: int) -> None:
        rng = self._rng
        for _ in range(count):
            key = b"key %d" % rng.randrange(800)
            value = None if rng.random() < 0.1 else bytes(rng.randrange(200))
            producer.produce("compacted", value, key, partition=0)
        assert producer.flush(30) == 0

    def write_round(self) -> None:
        rng = self._rng
        self.write(self.plain, rng.randrange(300))
        self.write(self._idempotent, rng.randrange(200))
        for producer in self._transactional:
            producer.begin_transaction()
            self.write(producer, rng.randrange(1, 100))
        for producer in self._transactional:
            self.write(self.plain, rng.randrange(20))
            if rng.random() < 0.4:
                producer.abort_transaction(30)
            else:
                producer.commit_transaction(30)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The log as Kafka has compacted it, and as we have."""
    folder = tmp_path_factory.mktemp("kafka")
    server = KafkaServer(folder)
    with server.running(cleans=False):
        _write_log(server)
    ours = folder / "ours"
    shutil.copytree(server.data / FOLDER, ours)
    end_offset = _compact(ours)
    checkpoint = server.data / CLEANER_OFFSETS

    def is_compacted() -> bool:
        # Kafka makes an empty file first.
        if not checkpoint.exists() or not checkpoint.stat().st_size:
            return False
        offsets = decode_offsets(checkpoint.read_bytes())
        return offsets.get(TopicPartition("compacted", 0)) == end_offset

    with server.running(cleans=True):
        wait_until(is_compacted, "Kafka compacts", seconds=30)
    return server.data / FOLDER, ours


def _write_log(server: KafkaServer) -> None:
    """Two closed segments, and one record behind them."""
    Admin(server.bootstrap).create(
        "compacted",
        1,
        cleanup_policy="compact",
        segment_bytes=1 << 20,
        segment_ms=SEGMENT_MS,
        min_cleanable_dirty_ratio="0.01",
        delete_retention_ms=HOUR_MS,
    )
    writers = Writers(server.bootstrap, random.Random(3))
    for _ in range(ROUNDS):
        writers.write_round()
    time.sleep(SEGMENT_MS / 1000)  # the next record begins another segment
    writers.write(writers.plain, 1)


def _compact(folder: Path) -> int:
    config = LogConfig(
        cleanup_policy=("compact",), segment_bytes=1 << 20, delete_retention_ms=HOUR_MS
    )
    log = PartitionLog.open(str(folder), config, disk=LocalDisk(), clean=True)
    plan = plan_compaction(
        log,
        first_dirty_offset=0,
        end_offset=log.log_end_offset,
        now_ms=time.time_ns() // 1_000_000,
    )
    assert plan is not None
    assert len(plan.segments) > 1
    log.replace_compacted(compact(plan, LocalDisk(), throttle=lambda _: None))
    log.close()
    return plan.end_offset


def _content(folder: Path) -> list[tuple[BatchHeader, list[Record]]]:
    return [
        (header, list(iter_records(batch)))
        for path in sorted(folder.glob("*.log"))
        for header, batch in iter_batches(path.read_bytes())
    ]


def _comparable(header: BatchHeader) -> BatchHeader:
    """What does not depend on the time of the run and the choice of a base."""
    return msgspec.structs.replace(header, base_timestamp=0, batch_length=0, crc=0)


def test_the_same_records_stay(folders: tuple[Path, Path]) -> None:
    kafkas, ours = (
        [record for _, records in _content(folder) for record in records] for folder in folders
    )
    assert len(ours) > 500
    assert ours == kafkas


def test_the_same_batches_stay_with_the_same_headers(folders: tuple[Path, Path]) -> None:
    kafkas, ours = ([_comparable(header) for header, _ in _content(folder)] for folder in folders)
    assert any(header.record_count == 0 for header in ours)
    assert any(header.is_control for header in ours)
    assert any(header.delete_horizon_ms is not None for header in ours)
    assert ours == kafkas


def test_the_same_aborted_transactions_are_told(folders: tuple[Path, Path]) -> None:
    kafkas, ours = (
        [
            entry
            for path in sorted(folder.glob("*.txnindex"))
            for entry in decode_aborted(path.read_bytes())
        ]
        for folder in folders
    )
    assert len(ours) > 10
    assert ours == kafkas
