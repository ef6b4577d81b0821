"""Which segments a log lets go, and what becomes of their files. Nothing here waits.

Segments go whole and from the oldest on, one after the other, so that after a crash the log is
still one sequence. Their files are renamed at once and unlinked later: who reads them may finish.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from ottla.base.world import Disk
from ottla.log import names
from ottla.log.config import LogConfig


class Reason(Enum):
    """Why a segment goes."""

    LOG_START = "it ends below the log start"
    SIZE = "the log is larger than retention.bytes"
    TIME = "its records are older than retention.ms"


class Released(NamedTuple):
    """A segment that has left its log; `paths` are its files, renamed, to unlink later."""

    reason: Reason
    base_offset: int
    next_offset: int
    size_bytes: int
    paths: list[str]


class Oldest(NamedTuple):
    """The oldest segment of a log; `next_offset` is where the one behind it begins.

    `youngest_ms` asks the disk: the largest timestamp of its records or, where none of them has
    any, the time at which its file was last written, as Kafka does.
    """

    next_offset: int
    size_bytes: int
    is_active: bool
    youngest_ms: Callable[[], int]


def why_released(
    oldest: Oldest,
    config: LogConfig,
    *,
    log_start_offset: int,
    high_watermark: int,
    log_size_bytes: int,
    now_ms: int,
) -> Reason | None:
    """Why the oldest segment goes now; None where it stays, and with it all behind it.

    Nothing at or above the high watermark goes: followers may still need it. Without `delete` in
    `cleanup.policy` neither age nor size count. The active segment goes only by age or size, and
    never while it is empty; the log begins a new one first.
    """
    if oldest.next_offset > high_watermark:
        return None
    if oldest.next_offset <= log_start_offset and not oldest.is_active:
        return Reason.LOG_START
    if "delete" not in config.cleanup_policy or (oldest.is_active and not oldest.size_bytes):
        return None
    if 0 <= config.retention_bytes <= log_size_bytes - oldest.size_bytes:
        return Reason.SIZE
    if config.retention_ms >= 0 and now_ms - oldest.youngest_ms() > config.retention_ms:
        return Reason.TIME
    return None


def retire_files(disk: Disk, directory: str, base_offset: int) -> list[str]:
    """Rename a segment's files out of the way, the log first; the new paths, to unlink later.

    Raises OSError where the log could not be renamed: then the segment is still there. Without
    its log the rest is nothing: what cannot be renamed now is removed at the next opening.
    """
    stem = f"{directory}/{names.segment_stem(base_offset)}"
    log_path, *others = (stem + suffix for suffix in names.SEGMENT_SUFFIXES)
    disk.rename(log_path, log_path + names.DELETED_SUFFIX)
    retired = [log_path + names.DELETED_SUFFIX]
    for path in others:
        with contextlib.suppress(OSError):
            if disk.exists(path):
                disk.rename(path, path + names.DELETED_SUFFIX)
                retired.append(path + names.DELETED_SUFFIX)
    return retired
