"""Golden partitions and data directories on a disk of their own, to be damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ottla.log.inspection.directory_check import DirectoryReport, check_directory
from ottla.log.inspection.finding import Finding, Problem
from ottla.testing.memory_disk import MemoryDisk
from tests.golden.dump import GOLDEN

DATA = "data"


def golden_disk() -> MemoryDisk:
    """The golden data directory, as `data`."""
    disk = MemoryDisk()
    put_tree(disk, GOLDEN, DATA)
    return disk


def put_tree(disk: MemoryDisk, source: Path, target: str) -> None:
    disk.make_dir(target)
    for path in sorted(source.iterdir()):
        if path.is_dir():
            put_tree(disk, path, f"{target}/{path.name}")
        else:
            write(disk, f"{target}/{path.name}", path.read_bytes())


def write(disk: MemoryDisk, path: str, content: bytes) -> None:
    file = disk.open(path, create=True)
    file.truncate(0)
    file.append([content])
    file.close()


def change(disk: MemoryDisk, name: str, how: Callable[[bytes], bytes]) -> None:
    path = f"{DATA}/{name}"
    write(disk, path, how(disk.read_file(path)))


def flip(position: int, bit: int = 0) -> Callable[[bytes], bytes]:
    """One bit of one byte; a negative position counts from the end."""

    def flipped(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[position] ^= 1 << bit
        return bytes(changed)

    return flipped


def checked(disk: MemoryDisk) -> DirectoryReport:
    return check_directory(disk, DATA, {})


def findings(disk: MemoryDisk) -> list[Finding]:
    return list(checked(disk).all_findings())


def problems(disk: MemoryDisk) -> set[tuple[str, int, Problem]]:
    """(file within the data directory, position, problem)."""
    return {
        (finding.path.removeprefix(f"{DATA}/"), finding.position, finding.problem)
        for finding in findings(disk)
    }
