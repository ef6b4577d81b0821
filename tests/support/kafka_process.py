"""Apache Kafka itself: one node of broker and controller, on free ports and a folder of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.free_ports import free_port
from tests.support.java import CLASS_PATH

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"


class KafkaProcess:
    """Formats `data` where it is not yet; in a `with` statement it runs, and stops at the end."""

    def __init__(
        self, folder: Path, data: Path, *, voters_in_log: bool = False, settings: str = ""
    ) -> None:
        """`settings` are lines of its properties, stronger than those here."""
        self._folder = folder
        self._data = data
        self._properties = folder / "server.properties"
        self._log = folder / "kafka.log"
        self._voters_in_log = voters_in_log
        self._process: subprocess.Popen[bytes] | None = None
        self.port, controller_port = free_port(), free_port()
        controller = f"127.0.0.1:{controller_port}"
        quorum = (
            f"controller.quorum.bootstrap.servers={controller}"
            if voters_in_log
            else f"controller.quorum.voters=1@{controller}"
        )
        self._properties.write_text(
            f"""process.roles=broker,controller
node.id=1
{quorum}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
{settings}
"""
        )

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def __enter__(self) -> Self:
        if not (self._data / "meta.properties").exists():
            self._format()
        with self._log.open("ab") as output:
            command = ["java", "-Xmx512M", "-cp", CLASS_PATH, "kafka.Kafka", str(self._properties)]
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._serves():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self._end(signal.SIGKILL)
                raise RuntimeError(f"Kafka did not start:\n{self.log()}")
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(signal.SIGTERM)

    def _format(self) -> None:
        options = ["format", "-t", CLUSTER_ID, "-c", str(self._properties)]
        if self._voters_in_log:
            options.append("--standalone")
        tool = ["java", "-cp", CLASS_PATH, "kafka.tools.StorageTool", *options]
        subprocess.run(tool, check=True, capture_output=True, timeout=START_SECONDS_MAX)

    def _serves(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
