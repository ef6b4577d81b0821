"""What the operating system says of processes that are not ours (Linux)."""

from __future__ import annotations

import os
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """The living processes that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(folder.name))
        if fields and int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def is_running(pid: int) -> bool:
    """Whether it lives; one that has ended and that nobody has asked about does not."""
    fields = _fields(pid)
    return bool(fields) and fields[0] != "Z"


def cpu_seconds(pid: int) -> float:
    """What it has used of the processor so far; 0 where it is gone."""
    fields = _fields(pid)
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def peak_resident_bytes(pid: int) -> int:
    """The most memory it has had at a time; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(peak.split()[1]) * 1024


def _fields(pid: int) -> list[str]:
    """The fields of its `stat` from the state on; none where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
