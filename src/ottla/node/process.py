"""Facts about this very process, and what fits it to be a server."""

from __future__ import annotations

import gc
import os
import resource
import time

GC_THRESHOLD = 50_000
"""Allocations between two looks of the youngest generation: requests leave few cycles behind."""


def milliseconds_since_start() -> float:
    """Wall time since the operating system started this process."""
    try:
        with open("/proc/self/stat", encoding="ascii") as stat:
            started_ticks = int(stat.read().rpartition(")")[2].split()[19])
    except OSError:  # no /proc, as on macOS: the interpreter's own CPU time is the nearest fact
        return time.process_time() * 1000
    uptime_seconds = time.clock_gettime(time.CLOCK_BOOTTIME)
    return (uptime_seconds - started_ticks / os.sysconf("SC_CLK_TCK")) * 1000


def raise_open_files_limit() -> int:
    """Allow as many open files as the system lets us; the number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):  # macOS takes less than its own hard limit
            return soft
    return hard


def settle_memory() -> None:
    """Everything loaded so far stays: keep the garbage collector from walking it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 10, 10)
