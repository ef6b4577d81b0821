"""A broker as a user starts it: a process, a port, a folder, a log."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ottla.testing.broker_process import BrokerProcess as Process

OTTLA = Path(sys.executable).with_name("ottla")


class BrokerProcess(Process):
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
        super().__init__([], errors=self.folder / "stderr")

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

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and wait until clients can connect. Raises UserError where it refuses."""
        command = [*self._under, str(OTTLA), "broker", *self._data_options()]
        for address in self._listen:
            command += ["--listen", address]
        self.command = [*command, *self._options]
        super().start()
        self.host, self.port = self.address
        # The next start takes the same port.
        self._listen[0] = f"{self._listen[0].rpartition(':')[0]}:{self.port}"

    def _data_options(self) -> list[str]:
        if not self._more_data:
            return ["--data-dir", str(self.data)]
        return ["--set", f"log.dirs={','.join(map(str, [self.data, *self._more_data]))}"]

    def restart(self) -> None:
        """Stop, where it still runs, and start again."""
        if self.running:
            self.stop()
        self.start()

    def end(self) -> None:
        """Leave nothing behind, whatever became of the process."""
        self.forget()
        if self._owns_folder:
            shutil.rmtree(self.folder)

    # -- what it says and costs ------------------------------------------------------------------

    def cpu_seconds(self) -> float:
        """CPU time of the loop's thread so far, in nanosecond steps."""
        schedstat = Path(f"/proc/{self.pid}/schedstat").read_text()
        return int(schedstat.split()[0]) / 1e9

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
