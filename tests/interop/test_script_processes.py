"""Kafka's tools as processes: what ends them ends them in order, and soon."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.admin import Admin
from tests.support.broker_process import BrokerProcess

pytestmark = pytest.mark.interop

END_SECONDS_MAX = 10.0


def begun(broker: BrokerProcess, name: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ottla.cli.scripts", name]
    return subprocess.Popen(
        [*command, "--bootstrap-server", broker.bootstrap, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(number)
    code = process.wait(END_SECONDS_MAX)
    assert process.stdin is not None
    process.stdin.close()
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout as out, process.stderr as err:
        told = out.read(), err.read()
    assert "Traceback" not in told[1]
    return code, *told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_producer_that_waits_for_a_line_ends_and_has_sent_those_before(
    broker: BrokerProcess, number: signal.Signals
) -> None:
    Admin(broker.bootstrap).create("typed")
    reader = begun(broker, "kafka-console-consumer", "--topic", "typed", "--from-beginning")
    writer = begun(broker, "kafka-console-producer", "--topic", "typed", "--timeout", "100")
    assert writer.stdin is not None
    assert reader.stdout is not None
    print("one line", file=writer.stdin, flush=True)
    assert reader.stdout.readline() == "one line\n"
    assert ended(writer, number) == (128 + number, "", "")
    code, _, told = ended(reader, number)
    assert (code, told) == (128 + number, "Processed a total of 1 messages\n")


def test_a_reader_that_goes_away_ends_a_consumer_quietly(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("much")
    lines = "".join(f"{number}\n" for number in range(20_000))
    words = [sys.executable, "-m", "ottla.cli.scripts"]
    server = ["--bootstrap-server", broker.bootstrap, "--topic", "much"]
    write = [*words, "kafka-console-producer", *server]
    subprocess.run(write, input=lines, text=True, check=True, timeout=30)
    read = [*words, "kafka-console-consumer", *server, "--from-beginning"]
    with subprocess.Popen(read, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.wait(END_SECONDS_MAX) == 1
        assert b"Traceback" not in process.stderr.read()


def test_a_hundred_thousand_lines_come_back_as_they_were(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    Admin(broker.bootstrap).create("lines")
    lines = tmp_path / "lines"
    lines.write_text("".join(f"line {number} ü\n" for number in range(100_000)))
    words = [sys.executable, "-m", "ottla.cli.scripts"]
    server = ["--bootstrap-server", broker.bootstrap, "--topic", "lines"]
    with lines.open("rb") as source:
        write = [*words, "kafka-console-producer", *server]
        subprocess.run(write, stdin=source, check=True, timeout=60)
    read = [*words, "kafka-console-consumer", *server, "--from-beginning", "--max-messages"]
    done = subprocess.run([*read, "100000"], capture_output=True, check=True, timeout=60)
    assert done.stdout == lines.read_bytes()
    assert done.stderr == b"Processed a total of 100000 messages\n"
