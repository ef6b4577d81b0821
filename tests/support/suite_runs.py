"""Programs of other projects' test suites: a few at a time, each with a limit and a log."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

TOLD_CHARACTERS_MAX: Final = 6000
"""How much of a log's end stands in a failure."""

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One program of a suite: what is started where, and how long it may take."""

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    seconds_max: float
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended; `exit_code` is None where it was killed at its limit."""

    exit_code: int | None
    log: Path
    seconds: float

    def told(self) -> str:
        """Everything it said, without colours."""
        return _COLOUR.sub("", self.log.read_text(errors="replace"))

    def last_words(self) -> str:
        """How it ended and the last that it said, for the message of a failure."""
        how = "was killed at its limit" if self.exit_code is None else f"exited {self.exit_code}"
        return f"{how} after {self.seconds:.0f} s:\n{self.told()[-TOLD_CHARACTERS_MAX:]}"


class SuiteRuns:
    """Runs programs `at_once` at a time, in the order given; leaving it ends those that run.

    Each is the first of a process group of its own, and the whole group is killed at its limit
    and when it has ended: a suite's own children do not outlive it.
    """

    def __init__(self, runs: Sequence[SuiteRun], *, at_once: int = 2) -> None:
        self._runs = runs
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="suite")
        self._ended: dict[str, Future[Ended]] = {}
        self._lock = Lock()
        self._groups: set[int] = set()
        self._is_over = False

    def __enter__(self) -> Self:
        for run in self._runs:
            self._ended[run.name] = self._threads.submit(self._run, run)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._is_over = True
            for group in self._groups:
                _kill_group(group)
        self._threads.shutdown(cancel_futures=True)

    def wait_for(self, name: str) -> Ended:
        """How the program of that name ended; waits for those before it, and for itself."""
        return self._ended[name].result()

    def _run(self, run: SuiteRun) -> Ended:
        started = time.monotonic()
        with run.log.open("wb") as log:
            process = self._start(run, log.fileno())
            try:
                exit_code: int | None = process.wait(run.seconds_max)
            except subprocess.TimeoutExpired:
                exit_code = None
            finally:
                self._end(process)
        return Ended(exit_code, run.log, time.monotonic() - started)

    def _start(self, run: SuiteRun, log: int) -> subprocess.Popen[bytes]:
        with self._lock:
            assert not self._is_over, "nothing is started after the end"
            process = subprocess.Popen(
                run.command,
                cwd=run.folder,
                env=os.environ | run.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._groups.add(process.pid)
            return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._groups.discard(process.pid)
            _kill_group(process.pid)
        process.wait()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of it has ended
