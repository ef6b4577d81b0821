"""`ottla broker` as a person or a supervisor meets it: ready, refused, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ottla.base.ids import parse_uuid
from tests.clients.admin import Admin
from tests.conftest import BrokerFactory
from tests.support.broker_process import OTTLA, BrokerProcess

REFUSED = 1
WRONG_USAGE = 2
ANYWHERE = ("--listen", "127.0.0.1:0")


def broker_that_ends(*options: str) -> tuple[int, str, str]:
    """Run `ottla broker` to its end: exit code, standard output, standard error."""
    done = subprocess.run(
        [str(OTTLA), "broker", *options], capture_output=True, text=True, check=False, timeout=20
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def refusal(options: Sequence[str]) -> str:
    """What a broker that refuses to start tells a person."""
    code, said, told = broker_that_ends(*options)
    assert code == REFUSED
    assert said == ""
    assert told.startswith("ottla: ")
    return told


def test_the_first_line_says_that_it_is_ready(broker: BrokerProcess) -> None:
    ready = broker.ready
    assert set(ready) == {"event", "listen", "node_id", "cluster_id", "ready_ms"}
    assert ready["event"] == "ready"
    assert ready["node_id"] == 1
    assert len(parse_uuid(ready["cluster_id"])) == 16
    assert 0 < ready["ready_ms"] < 20_000
    host, _, port = ready["listen"].rpartition(":")
    socket.create_connection((host, int(port)), timeout=5).close()


def test_port_0_takes_a_free_one_each_time(start_broker: BrokerFactory) -> None:
    first, second = start_broker(), start_broker()
    assert first.port != second.port
    assert Admin(first.bootstrap).addresses() == {first.bootstrap}
    assert Admin(second.bootstrap).addresses() == {second.bootstrap}


def test_a_restart_keeps_the_cluster_and_its_topics(broker: BrokerProcess) -> None:
    first = broker.ready
    Admin(broker.bootstrap).create("kept", partitions=4)
    broker.restart()
    assert broker.ready["cluster_id"] == first["cluster_id"]
    assert Admin(broker.bootstrap).describe("kept").partitions == 4


def test_a_second_broker_on_the_same_data_is_refused_and_harms_nothing(
    broker: BrokerProcess,
) -> None:
    Admin(broker.bootstrap).create("before")
    told = refusal(["--data-dir", str(broker.data), *ANYWHERE])
    assert str(broker.data) in told
    assert "another" in told
    Admin(broker.bootstrap).create("after")
    assert Admin(broker.bootstrap).topics() == {"before", "after"}


def test_a_busy_port_is_named(broker: BrokerProcess, tmp_path: Path) -> None:
    told = refusal(["--data-dir", str(tmp_path / "other"), "--listen", broker.bootstrap])
    assert f"cannot listen on {broker.bootstrap}" in told
    assert "another program listens there" in told


def locked_folder(place: Path) -> Path:
    """A folder in which nobody may make another, be it the administrator."""
    if os.geteuid() != 0:
        place.mkdir(mode=0o500)
        return place
    system = Path("/sys")
    if not system.is_dir():
        pytest.skip("the administrator may write everywhere here")
    return system


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    data = locked_folder(tmp_path / "locked") / "ottla"
    told = refusal(["--data-dir", str(data), *ANYWHERE])
    assert f"cannot use the data directory {data}" in told
    assert "--data-dir" in told


def test_a_file_in_place_of_a_directory_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("somebody's")
    told = refusal(["--data-dir", str(file / "data"), *ANYWHERE])
    assert str(file / "data") in told
    assert file.read_text() == "somebody's"


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    told = refusal(["--data-dir", str(tmp_path), *ANYWHERE])
    assert "diary.txt" in told
    assert "not a data directory" in told
    assert [file.name for file in tmp_path.iterdir()] == ["diary.txt"]


def test_a_directory_of_another_node_is_refused(broker: BrokerProcess) -> None:
    broker.stop()
    told = refusal(["--data-dir", str(broker.data), *ANYWHERE, "--set", "node.id=2"])
    assert "belongs to node 1" in told
    broker.start()


def test_a_directory_of_another_cluster_is_refused(broker: BrokerProcess) -> None:
    broker.stop()
    other = "--set", "cluster.id=AAAAAAAAAAAAAAAAAAAAAQ"
    told = refusal(["--data-dir", str(broker.data), *ANYWHERE, *other])
    assert broker.ready["cluster_id"] in told
    broker.start()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("num.partition=3", ["num.partition", "num.partitions"]),
        ("auto.create.topic.enable=true", ["auto.create.topics.enable"]),
        ("num.partitions=many", ["num.partitions", "many"]),
        ("num.partitions=0", ["num.partitions", "0"]),
        ("num.partitions", ["KEY=VALUE"]),
    ],
)
def test_a_wrong_setting_is_refused_with_what_would_be_right(
    option: str, words: list[str], tmp_path: Path
) -> None:
    told = refusal(["--data-dir", str(tmp_path / "data"), *ANYWHERE, "--set", option])
    for word in words:
        assert word in told
    assert not (tmp_path / "data").exists()


def test_settings_of_a_file_count_and_those_of_the_command_line_more(
    start_broker: BrokerFactory, tmp_path: Path
) -> None:
    file = tmp_path / "broker.properties"
    file.write_text("# a comment\nnum.partitions=5\nnode.id=7\n")
    broker = start_broker("--config", str(file), "--set", "num.partitions=6")
    assert broker.ready["node_id"] == 7
    admin = Admin(broker.bootstrap)
    admin.create("by-default", partitions=-1)
    assert admin.describe("by-default").partitions == 6


def test_an_unknown_option_or_command_is_wrong_usage() -> None:
    code, _, told = broker_that_ends("--data-dirr", "x")
    assert code == WRONG_USAGE
    assert "--data-dir" in told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(broker: BrokerProcess, number: signal.Signals) -> None:
    Admin(broker.bootstrap).create("topic")
    mark = broker.data / ".kafka_cleanshutdown"
    assert not mark.exists()
    os.kill(broker.pid, number)
    assert broker.exit_code() == 0
    assert mark.exists()
    assert "stopped cleanly" in broker.log()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((broker.host, broker.port), timeout=5)
    broker.start()
    assert not mark.exists()
    assert Admin(broker.bootstrap).topics() == {"topic"}


def test_a_kill_leaves_no_mark_and_the_next_start_works(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("topic")
    broker.kill()
    assert not (broker.data / ".kafka_cleanshutdown").exists()
    broker.start()
    assert Admin(broker.bootstrap).topics() == {"topic"}


def test_a_stop_does_not_wait_for_idle_clients(broker: BrokerProcess) -> None:
    with socket.create_connection((broker.host, broker.port), timeout=5) as idle:
        assert broker.stop() == 0
        assert idle.recv(1) == b""
    assert "did not take their answers" not in broker.log()
