"""`ottla` as a shell runs it: pipes that close, interrupts, Tab, and how long a person waits."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients.admin import Admin
from tests.support.broker_process import OTTLA, BrokerProcess

pytestmark = pytest.mark.interop


def environment(bootstrap: str) -> Mapping[str, str]:
    # Unbuffered, what is printed would meet the closed pipe at once, and nothing would follow it.
    unset = {"PYTHONUNBUFFERED": ""}
    return {**os.environ, **unset, "OTTLA_BOOTSTRAP_SERVER": bootstrap}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["cluster", "api-versions", "--json"], []),
        (["topic", "describe", "nosuch", "--json"], [b"ottla: nosuch: ", b"  `ottla topic list` "]),
    ],
)
def test_a_reader_that_goes_away_is_quiet(
    shared_broker: BrokerProcess, arguments: list[str], told: list[bytes]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        done = subprocess.run(
            [OTTLA, *arguments],
            stdout=nobody,
            stderr=subprocess.PIPE,
            env=environment(shared_broker.bootstrap),
            check=False,
            timeout=20,
        )
    assert done.returncode == 141
    lines = done.stderr.splitlines()
    assert len(lines) == len(told), "the refusal and what helps, and nothing of the pipe"
    assert all(line.startswith(begin) for line, begin in zip(lines, told, strict=True))


@pytest.mark.parametrize(
    ("redirected", "code", "told"),
    [
        (">&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        (">/dev/full", 1, "ottla: cannot write: No space left on device\n"),
    ],
)
def test_an_output_that_is_closed_or_full_brings_no_traceback(
    shared_broker: BrokerProcess, redirected: str, code: int, told: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" cluster api-versions {redirected}', OTTLA],
        capture_output=True,
        text=True,
        env=environment(shared_broker.bootstrap),
        check=False,
        timeout=20,
    )
    assert (done.returncode, done.stderr) == (code, told)


@pytest.mark.parametrize(
    ("tool", "redirected", "code", "told"),
    [
        ("kafka-topics --list", ">&-", 0, ""),
        ("kafka-topics --list", ">/dev/full", 1, "No space left on device\n"),
        ("kafka-console-producer --topic x", "<&-", 1, "there are no lines to send\n"),
    ],
)
def test_nor_does_it_to_kafkas_tools(
    shared_broker: BrokerProcess, tool: str, redirected: str, code: int, told: str
) -> None:
    command = f'exec "$0" -m ottla.cli.scripts {tool} --bootstrap-server "$1" {redirected}'
    Admin(shared_broker.bootstrap).create(f"listed-{code}-{len(tool)}")
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, shared_broker.bootstrap],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == code
    assert done.stderr.endswith(told)
    assert "Traceback" not in done.stderr


def test_an_interrupt_ends_a_question_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(
            [OTTLA, "topic", "list", "-b", f"127.0.0.1:{silent.getsockname()[1]}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        asked, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
        asked.close()
    assert (process.returncode, output, errors) == (130, b"", b"\n")


BASH = """
eval "$("$1" completion bash)"
COMP_LINE="ottla topic describe -b $2 tab"
COMP_POINT=${#COMP_LINE}
_ottla_completion "$1"
echo "${COMPREPLY[*]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_bash_completes_topics_of_the_cluster_that_the_line_names(
    shared_broker: BrokerProcess, tmp_path: Path
) -> None:
    broker = shared_broker
    Admin(broker.bootstrap).create("tab-pressed")
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", str(OTTLA), broker.bootstrap],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=20,
    )
    assert (done.stdout, done.stderr) == ("tab-pressed\n", "")
