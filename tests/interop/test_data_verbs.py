"""`ottla produce`, `consume`, `group`, `perf`, `doctor` and `top` as processes, on Apache Kafka and
on Ottla: the same commands, the same print-outs."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BrokerFactory
from tests.support.broker_process import OTTLA, BrokerProcess
from tests.support.java import why_no_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

RUN_SECONDS_MAX = 60


class Line:
    """`ottla` against one cluster."""

    def __init__(self, bootstrap: str) -> None:
        self.environment = {**os.environ, "OTTLA_BOOTSTRAP_SERVER": bootstrap}

    def run(self, *arguments: str, stdin: bytes = b"", code: int = 0) -> bytes:
        done = subprocess.run(
            [str(OTTLA), *arguments],
            input=stdin,
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=RUN_SECONDS_MAX,
        )
        assert done.returncode == code, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        return done.stdout

    def rows(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        found = json.loads(self.run(*arguments, "-o", "json", code=code))
        assert isinstance(found, list)
        return found


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    reason = why_no_java()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaProcess(folder, folder / "data") as running:
        yield Line(running.bootstrap)


@pytest.fixture(params=["apache kafka", "ottla"])
def line(request: pytest.FixtureRequest) -> Line:
    if request.param == "apache kafka":
        found = request.getfixturevalue("kafka")
        assert isinstance(found, Line)
        return found
    broker = request.getfixturevalue("broker")
    assert isinstance(broker, BrokerProcess)
    return Line(broker.bootstrap)


def test_records_go_in_and_out_whole(line: Line, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.write_bytes(b"".join(b"line %d\n" % n for n in range(100_000)))
    line.run("produce", "whole", "--file", str(many), "-z", "lz4", "-p", "0")
    assert line.run("consume", "whole", "-e") == many.read_bytes()
    assert line.run("consume", "whole", "-s", "-2", "-e") == b"line 99998\nline 99999\n"
    line.run("produce", "odd", "-f", "hex", "00ff", "-k", "key", "-H", "h=1")
    line.run("produce", "odd", "-Z", "-", "-")
    told = line.run("consume", "odd", "-e", "-f", "json")
    line.run("produce", "copy", "-f", "json", stdin=told)
    copied = line.run("consume", "copy", "-e", "-f", "json")
    assert copied.replace(b'"copy"', b'"odd"') == told
    line.run("produce", "sure", "--transactional-id", "tx", "a", "b")
    assert line.run("consume", "sure", "-e", "--isolation-level", "read_committed") == b"a\nb\n"


def test_groups_are_read_moved_and_deleted(line: Line) -> None:
    line.run("produce", "orders", *"abcde", "-p", "0")
    assert line.run("consume", "orders", "-g", "old", "-n", "2") == b"a\nb\n"
    newer = ("-g", "new", "--group-protocol", "consumer")
    assert line.run("consume", "orders", *newer, "-n", "3") == b"a\nb\nc\n"
    rows = {row["group"]: row for row in line.rows("group", "describe", "old", "new")}
    assert (rows["old"]["lag"], rows["new"]["lag"]) == (3, 2)
    assert all(0 <= row["lag_ms"] < 60_000 for row in rows.values())
    listed = {row["group"]: row["type"] for row in line.rows("group", "list")}
    assert (listed["old"], listed["new"]) == ("classic", "consumer")
    for group, options in (("old", ["--to-earliest"]), ("new", ["--shift-by", "-3"])):
        line.run("group", "reset", group, *options, "--all-topics", "--execute")
        assert line.rows("group", "describe", group)[0]["committed"] == 0
    assert line.run("consume", "orders", "-g", "old", "-e") == b"a\nb\nc\nd\ne\n"
    line.run("group", "delete", "old", "new", "--yes")
    line.run("group", "describe", "old", code=1)


def test_measurements_add_up(line: Line) -> None:
    line.run("topic", "create", "measured", "-p", "2")
    (written,) = line.rows("perf", "produce", "measured", "-n", "20000")
    assert (written["records"], written["failed"]) == (20_000, 0)
    (read,) = line.rows("perf", "consume", "measured")
    assert read["records"] == 20_000
    assert [row["records"] for row in line.rows("perf", "latency", "-n", "50")] == [50, 50]


def test_a_healthy_cluster_passes_its_examination(line: Line) -> None:
    line.run("produce", "healthy", "a")
    rows = line.rows("doctor", "--sample", "100ms")
    assert {row["check"] for row in rows} >= {"addresses", "disks", "clocks", "transactions"}
    assert not [row for row in rows if row["level"] in ("problem", "note")]


def test_the_journal_is_ottlas_alone(kafka: Line, broker: BrokerProcess) -> None:
    for line, code in ((kafka, 1), (Line(broker.bootstrap), 0)):
        line.run("produce", "why", "a")
        line.run("consume", "why", "-g", "why", "-e")
        line.run("group", "journal", "why", code=code)


def test_top_fills_a_terminal_and_q_ends_it(line: Line) -> None:
    line.run("produce", "watched", "a")
    (told,) = line.rows("top", "--interval", "10ms")
    assert "watched" in {topic["topic"] for topic in told["topics"]}
    child, terminal = pty.fork()
    if child == 0:
        os.execve(  # in the child of a terminal
            str(OTTLA),
            ["ottla", "top", "--interval", "100ms"],
            {**line.environment, "TERM": "xterm", "LINES": "30", "COLUMNS": "100"},
        )
    seen = _until(terminal, b"q quits", b"watched")
    os.write(terminal, b"q")
    seen += _until(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert seen.endswith(b"\x1b[?1049l")


def _until(terminal: int, *words: bytes) -> bytes:
    """What the terminal shows until all of these have come; without any, until it is closed."""
    shown, deadline = b"", time.monotonic() + RUN_SECONDS_MAX
    while time.monotonic() < deadline:
        if words and all(word in shown for word in words):
            return shown
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                piece = os.read(terminal, 65_536)
            except OSError:  # how Linux tells that the other side is gone
                return shown
            if not piece:
                return shown
            shown += piece
    raise AssertionError(f"the terminal never showed {words}: {shown[-500:]!r}")


def test_an_interrupt_ends_a_consumer_quietly_and_keeps_its_position(line: Line) -> None:
    line.run("produce", "followed", "a", "b")
    consuming = subprocess.Popen(
        [str(OTTLA), "consume", "followed", "-g", "followers"],
        env=line.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert consuming.stdout is not None
    assert [consuming.stdout.readline() for _ in "ab"] == [b"a\n", b"b\n"]
    # By then it has noted what it has printed: an interrupt before that prints it again.
    assert line.rows("group", "members", "followers")[0]["assignment"] == {"followed": [0]}
    consuming.send_signal(2)
    out, errors = consuming.communicate(timeout=RUN_SECONDS_MAX)
    assert (out, errors.strip(), consuming.returncode) == (b"", b"", 130)
    assert line.rows("group", "describe", "followers")[0]["lag"] == 0


def test_an_address_that_nobody_can_reach_is_found_at_once(start_broker: BrokerFactory) -> None:
    broker = start_broker("--advertise", "no-such-host.invalid:9092")
    rows = Line(broker.ready["listen"]).rows("doctor", code=3)
    (problem,) = (row for row in rows if row["level"] == "problem")
    assert (problem["check"], problem["about"]) == ("addresses", "broker 1")
    assert "no-such-host.invalid:9092: the name does not resolve here" in problem["told"]
    assert "--advertise" in problem["remedy"]
