"""What can this machine do at all? Copying, appending, sending and checking without a broker."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import run_loadgen
from benchmarks.report import Figure
from ottla.wire.records.crc32c import crc32c

CHUNKS = (16 * 1024, 100_000, 1_000_000)
APPENDED_BYTES = 500_000_000
SECONDS = 1.0


def run() -> Iterator[Figure]:
    """Each floor in GB per CPU-second of the side that a broker would be."""
    with tempfile.TemporaryDirectory(prefix="ottla-floors-") as folder:
        file = Path(folder) / "file"
        # The first pass touches memory that the machine has never used: it is not counted.
        run_loadgen("append", file, CHUNKS[-1], APPENDED_BYTES)
        for chunk in CHUNKS:
            file.unlink()
            appended = run_loadgen("append", file, chunk, APPENDED_BYTES)
            yield _figure(f"append with write(2), {chunk} B", appended["gb_per_cpu_second"])
        for chunk in CHUNKS:
            sent = run_loadgen("loopback", chunk, SECONDS)
            yield _figure(f"loopback TCP, {chunk} B", sent["gb_per_cpu_second"])
        for chunk in CHUNKS[1:]:
            sent = run_loadgen("sendfile", file, chunk, SECONDS)
            yield _figure(f"sendfile, {chunk} B", sent["gb_per_cpu_second"])
    yield _figure("CRC-32C, 1 MiB", _crc_gb_per_second())


def _figure(what: str, gb_per_cpu_second: float) -> Figure:
    return Figure(what, gb_per_cpu_second, "GB/CPU-s")


def _crc_gb_per_second() -> float:
    data = os.urandom(1 << 20)
    rounds = 500
    started = time.thread_time()
    for _ in range(rounds):
        crc32c(data)
    return rounds * len(data) / (time.thread_time() - started) / 1e9
