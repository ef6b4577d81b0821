"""The load generator and the machine's floors, both in C: see `loadgen/loadgen.c`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.broker_process import BrokerProcess

SOURCE = Path(__file__).parent / "loadgen" / "loadgen.c"


class NoCompilerError(RuntimeError):
    """The load generator cannot be built; the message says what to install."""


@cache
def loadgen() -> Path:
    """The compiled load generator, made once per run."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise NoCompilerError("the load generator needs a C compiler: apt-get install gcc")
    program = Path(tempfile.mkdtemp(prefix="ottla-loadgen-")) / "loadgen"
    subprocess.run([compiler, "-O2", "-o", str(program), str(SOURCE)], check=True)
    return program


def run_loadgen(*arguments: str | float | Path) -> dict[str, Any]:
    """One run; the line that it prints."""
    done = subprocess.run(
        [loadgen(), *map(str, arguments)], check=True, stdout=subprocess.PIPE, timeout=120
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class LoadResult:
    """What one load cost the broker."""

    def __init__(self, answer: dict[str, Any], broker_cpu_seconds: float) -> None:
        self.responses: int = answer["responses"]
        self.seconds: float = answer["seconds"]
        self.bytes_in: int = answer["bytes_in"]
        self.bytes_out: int = answer["bytes_out"]
        self.p50_us: float = answer["p50_us"]
        self.p99_us: float = answer["p99_us"]
        self.broker_cpu_seconds = broker_cpu_seconds

    @property
    def cpu_us_per_request(self) -> float:
        return self.broker_cpu_seconds / max(self.responses, 1) * 1e6

    @property
    def requests_per_second(self) -> float:
        return self.responses / self.seconds


def load(
    broker: BrokerProcess,
    frames: Sequence[bytes],
    *,
    window: int,
    connections: int = 1,
    seconds: float = 2.0,
) -> LoadResult:
    """Send the frames in turn, over and over, and count."""
    with tempfile.NamedTemporaryFile(prefix="ottla-frames-") as file:
        file.write(b"".join(frames))
        file.flush()
        before = broker.cpu_seconds()
        answer = run_loadgen(
            "frames", broker.host, broker.port, file.name, connections, window, seconds
        )
        return LoadResult(answer, broker.cpu_seconds() - before)
