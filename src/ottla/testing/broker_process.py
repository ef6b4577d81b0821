"""A broker as a process of its own: started, told from outside to end, or killed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import ottla
from ottla.base.errors import UserError

READY_SECONDS_MAX: Final = 20.0
STOP_SECONDS_MAX: Final = 30.0


class BrokerProcess:
    """`command` is a broker whose first line says that it is ready, as `ottla broker` says it.

    It may be changed between two starts. What it tells on standard error is added to `errors`. The
    broker's standard input is open as long as it is to run.
    """

    def __init__(self, command: Sequence[str], *, errors: Path) -> None:
        self.command = list(command)
        self.ready: dict[str, Any] = {}
        self.start_seconds = 0.0
        self._errors = errors
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first listener, as bound at the last start."""
        host, _, port = self.ready["listen"].rpartition(":")
        return host, int(port)

    def start(self) -> None:
        """Start, and wait until clients can connect. Raises UserError where it refuses."""
        assert not self.running
        self.forget()
        started = time.monotonic()
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 # our own program
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(),
            )
        line = self._first_line(self._process)
        self.start_seconds = time.monotonic() - started
        self.ready = json.loads(line)

    def _first_line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], READY_SECONDS_MAX)
        line = process.stdout.readline() if readable else b""
        if not line:
            process.kill()
            code = process.wait()
            self.forget()
            raise UserError(f"the broker did not start (exit code {code}):\n{self.log()}")
        return line

    def stop(self) -> int:
        """Stop in order, by SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process without warning, by SIGKILL."""
        self._end(signal.SIGKILL)

    def exit_code(self) -> int:
        """How the process ends, or ended, by itself or by a signal."""
        assert self._process is not None
        return self._process.wait(timeout=STOP_SECONDS_MAX)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        try:
            return self.exit_code()
        finally:
            self.forget()

    def forget(self) -> None:
        """Leave no process behind, whatever became of it."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()

    def log(self) -> str:
        """Everything on standard error since the first start."""
        return self._errors.read_text(errors="replace") if self._errors.exists() else ""


def child_command(settings: Mapping[str, str], *, remove: Path | None) -> list[str]:
    """A broker that ends with this process, and then removes that folder; see `child_broker`."""
    folder = "" if remove is None else str(remove)
    assignments = [f"{key}={value}" for key, value in settings.items()]
    return [sys.executable, "-m", "ottla.testing.child_broker", folder, *assignments]


def _environment() -> dict[str, str]:
    """This process's, and the same Ottla, wherever this one was imported from."""
    path = [str(Path(ottla.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
