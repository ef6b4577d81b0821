"""A broker as a user starts it, and what its process costs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BrokerProcess:
    """`ottla broker` on a free port, with its data in a temporary folder."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self.folder = Path(tempfile.mkdtemp(prefix="ottla-bench-"))
        self.host, self.port = "127.0.0.1", 0
        self.ready: dict[str, Any] = {}
        self.start_seconds = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        started = time.monotonic()
        self._errors = (self.folder / "stderr").open("ab")
        self._process = subprocess.Popen(
            [
                Path(sys.executable).with_name("ottla"),
                "broker",
                "--data-dir",
                str(self.folder / "data"),
                "--listen",
                f"{self.host}:{self.port}",
                *self._options,
            ],
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.start_seconds = time.monotonic() - started
        if not line:
            raise RuntimeError((self.folder / "stderr").read_text())
        self.ready = json.loads(line)
        self.port = int(self.ready["listen"].rpartition(":")[2])

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def cpu_seconds(self) -> float:
        """CPU time of the loop's thread so far, in nanosecond steps."""
        schedstat = Path(f"/proc/{self.pid}/schedstat").read_text()
        return int(schedstat.split()[0]) / 1e9

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
