"""Disks as users have them: one that becomes full under load, several, and tools that ask."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message, Producer

from ottla.base.errors import UserError
from tests.clients.admin import Admin, kafka_python_admin
from tests.clients.contract import BEGINNING
from tests.interop.conftest import ClientFinder
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, needs_java
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop

SMALL_DISK = "64m"
HEADROOM = "ottla.disk.headroom.bytes=8388608"
DELETE_SOON = "log.segment.delete.delay.ms=0"
VALUE = b"v" * 50_000


def why_no_mounts() -> str | None:
    """Why no file system can be mounted in a namespace of the test's own."""
    if shutil.which("unshare") is None:
        return "no unshare on the path"
    tried = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return None if tried.returncode == 0 else f"may not mount: {tried.stderr.decode().strip()}"


needs_mounts = pytest.mark.skipif(why_no_mounts() is not None, reason=str(why_no_mounts()))


@pytest.fixture
def broker_on_small_disk(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker whose data is on a disk of 64 MiB that only it sees."""
    data = tmp_path / "data"
    data.mkdir()
    mount = f'mount -t tmpfs -o size={SMALL_DISK} tmpfs {data} && exec "$@"'
    options = ["--set", HEADROOM, "--set", DELETE_SOON]
    with BrokerProcess(
        *options, folder=tmp_path, under=["unshare", "-m", "sh", "-c", mount, "sh"]
    ) as broker:
        yield broker


class Acknowledged:
    """A producer that knows which of its numbered records were acknowledged."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.numbers: list[int] = []
        self.errors: list[KafkaError] = []
        self._topic = topic
        self._next = 0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "message.timeout.ms": 60_000,
                "linger.ms": 0,
                "batch.num.messages": 1,
            }
        )

    def send(self, count: int) -> None:
        for _ in range(count):
            key = b"%d" % self._next
            self._next += 1
            self._producer.produce(self._topic, VALUE, key=key, on_delivery=self._told)
            self._producer.poll(0)

    def wait(self, seconds: float) -> int:
        """How many records are still not acknowledged after so long."""
        return int(self._producer.flush(seconds))

    def _told(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.errors.append(error)
        else:
            self.numbers.append(int(message.key() or b""))


@needs_mounts
def test_a_full_disk_refuses_writes_serves_reads_and_resumes(
    broker_on_small_disk: BrokerProcess, client_named: ClientFinder
) -> None:
    broker = broker_on_small_disk
    admin, client = Admin(broker.bootstrap), client_named("confluent-kafka")
    admin.create("kept")
    admin.create("ballast")
    kept, ballast = (
        Acknowledged(broker.bootstrap, "kept"),
        Acknowledged(broker.bootstrap, "ballast"),
    )
    kept.send(100)
    assert kept.wait(20) == 0
    ballast.send(1500)
    wait_until(lambda: "a disk is full" in broker.log(), "the disk becomes full")
    assert ballast.wait(1) > 0
    kept.send(50)
    assert kept.wait(2) == 50
    found = client.consume(broker.bootstrap, "kept", 100, start=BEGINNING)
    assert [record.key for record in found] == [b"%d" % number for number in range(100)]
    admin.delete("ballast")
    assert kept.wait(30) == 0
    assert kept.errors == []
    assert kept.numbers == list(range(150))
    found = client.consume(broker.bootstrap, "kept", 150, start=BEGINNING)
    assert [record.key for record in found] == [b"%d" % number for number in range(150)]
    assert "a disk has room again" in broker.log()
    assert "the metadata log refused" not in broker.log()
    assert broker.stop() == 0
    assert "stopped cleanly" in broker.log()


@pytest.fixture
def broker_on_two(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker with two data directories."""
    with BrokerProcess(folder=tmp_path, more_data=[tmp_path / "more"]) as broker:
        yield broker


def log_dirs_tool(bootstrap: str) -> Any:
    """What kafka-log-dirs.sh prints, as data."""
    tool = "org.apache.kafka.tools.LogDirsCommand"
    ran = subprocess.run(
        ["java", "-cp", CLASS_PATH, tool, "--bootstrap-server", bootstrap, "--describe"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (line,) = (line for line in ran.stdout.splitlines() if line.startswith("{"))
    return json.loads(line)


@needs_java
def test_the_log_dirs_tool_shows_where_partitions_are(broker_on_two: BrokerProcess) -> None:
    broker = broker_on_two
    Admin(broker.bootstrap).create("orders", partitions=4)
    (node,) = log_dirs_tool(broker.bootstrap)["brokers"]
    found = {
        directory["logDir"]: sorted(one["partition"] for one in directory["partitions"])
        for directory in node["logDirs"]
    }
    assert found == {
        str(broker.data): ["orders-0", "orders-2"],
        str(broker.folder / "more"): ["orders-1", "orders-3"],
    }
    assert all(directory["error"] is None for directory in node["logDirs"])


def test_a_replica_moves_for_kafka_python_while_it_is_written(
    broker_on_two: BrokerProcess, client_named: ClientFinder
) -> None:
    broker, client = broker_on_two, client_named("confluent-kafka")
    Admin(broker.bootstrap).create("orders")
    writer = Acknowledged(broker.bootstrap, "orders")
    writer.send(300)
    assert writer.wait(20) == 0
    admin = kafka_python_admin(broker.bootstrap)
    try:
        more = str(broker.folder / "more")
        admin.alter_replica_log_dirs({("orders", 0, 1): more})
        writer.send(200)
        wait_until(lambda: (broker.folder / "more" / "orders-0").is_dir(), "the replica moves")
        told = admin.describe_log_dirs()
    finally:
        admin.close()
    assert more in json.dumps(told, default=str)
    assert writer.wait(20) == 0
    assert writer.errors == []
    wait_until(lambda: not (broker.data / "orders-0").exists(), "the old folder goes")
    broker.kill()
    broker.start()
    found = client.consume(broker.bootstrap, "orders", 500, start=BEGINNING)
    assert [record.key for record in found] == [b"%d" % number for number in range(500)]


def test_a_second_process_on_one_of_the_directories_is_refused(
    broker_on_two: BrokerProcess, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    second = BrokerProcess(folder=tmp_path)
    second.data = more
    try:
        with pytest.raises(UserError, match=rf"more is in use by process {broker_on_two.pid} "):
            second.start()
    finally:
        second.end()


def test_a_directory_that_goes_takes_only_its_partitions_offline_and_the_last_one_the_node(
    broker_on_two: BrokerProcess, client_named: ClientFinder
) -> None:
    """As when a disk is unmounted under a running node."""
    broker, client = broker_on_two, client_named("confluent-kafka")
    Admin(broker.bootstrap).create("first")
    Admin(broker.bootstrap).create("second")
    first = Acknowledged(broker.bootstrap, "first")
    second = Acknowledged(broker.bootstrap, "second")
    for writer in (first, second):
        writer.send(10)
        assert writer.wait(20) == 0
    (broker.folder / "more").rename(broker.folder / "gone")
    wait_until(lambda: "a data directory has failed" in broker.log(), "the failure is seen")
    second.send(5)
    assert second.wait(1) == 5
    first.send(10)
    assert first.wait(20) == 0
    found = client.consume(broker.bootstrap, "first", 20, start=BEGINNING)
    assert [record.key for record in found] == [b"%d" % number for number in range(20)]
    broker.data.rename(broker.folder / "gone too")
    assert broker.exit_code() != 0
    assert f"the metadata log's data directory has failed: {broker.data}" in broker.log()
    client.complaints.clear()
    (broker.folder / "gone").rename(broker.folder / "more")
    (broker.folder / "gone too").rename(broker.data)
    broker.start()
    assert second.wait(30) == 0
    found = client.consume(broker.bootstrap, "second", 15, start=BEGINNING)
    assert [record.key for record in found] == [b"%d" % number for number in range(15)]
