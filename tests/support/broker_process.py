"""A broker as a user starts it: a process, a port, a folder, a log."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

OTTLA = Path(sys.executable).with_name("ottla")
READY_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 30.0


class BrokerProcess:
    """`ottla broker`, by default on a free port of 127.0.0.1 with its data in a folder of its own.

    Every start keeps the port and the data of the one before. Use it in a `with` statement: it
    starts the broker, and at the end stops it and removes the folder, unless that was given.
    `more_data` are further data directories. `under` is a command that runs the broker in a place
    of its own, as `unshare` does.
    """

    def __init__(
        self,
        *options: str,
        listen: Sequence[str] = ("127.0.0.1:0",),
        folder: Path | None = None,
        under: Sequence[str] = (),
        more_data: Sequence[Path] = (),
    ) -> None:
        self._options = options
        self._under = list(under)
        self._more_data = list(more_data)
        self._listen = list(listen)
        self._owns_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="ottla-"))
        self.data = self.folder / "data"
        self.host, self.port = "", 0
        self.ready: dict[str, Any] = {}
        self.start_seconds = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.running:
            self.stop()
        self.end()

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and wait until clients can connect. Raises RuntimeError where it refuses."""
        assert not self.running
        self._forget()
        started = time.monotonic()
        command = [str(OTTLA), "broker", *self._data_options()]
        for address in self._listen:
            command += ["--listen", address]
        with (self.folder / "stderr").open("ab") as errors:
            self._process = subprocess.Popen(
                [*self._under, *command, *self._options], stdout=subprocess.PIPE, stderr=errors
            )
        line = self._first_line(self._process)
        self.start_seconds = time.monotonic() - started
        self.ready = json.loads(line)
        host, _, port = self.ready["listen"].rpartition(":")
        self.host, self.port = host, int(port)
        # The next start takes the same port.
        self._listen[0] = f"{self._listen[0].rpartition(':')[0]}:{port}"

    def _data_options(self) -> list[str]:
        if not self._more_data:
            return ["--data-dir", str(self.data)]
        return ["--set", f"log.dirs={','.join(map(str, [self.data, *self._more_data]))}"]

    def _first_line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], READY_SECONDS_MAX)
        line = process.stdout.readline() if readable else b""
        if not line:
            process.kill()
            code = process.wait()
            raise RuntimeError(f"the broker did not start (exit code {code}):\n{self.log()}")
        return line

    def stop(self) -> int:
        """Stop in order, by SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process without warning, by SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop, where it still runs, and start again."""
        if self.running:
            self.stop()
        self.start()

    def end(self) -> None:
        """Leave nothing behind, whatever became of the process."""
        self._forget()
        if self._owns_folder:
            shutil.rmtree(self.folder)

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
            self._forget()

    def _forget(self) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()

    # -- what it says and costs ------------------------------------------------------------------

    def log(self) -> str:
        """Everything on standard error since the first start."""
        return (self.folder / "stderr").read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """CPU time of the loop's thread so far, in nanosecond steps."""
        schedstat = Path(f"/proc/{self.pid}/schedstat").read_text()
        return int(schedstat.split()[0]) / 1e9

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
