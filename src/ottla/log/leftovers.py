"""What an interrupted removal or replacement of segments left in a partition's folder.

As Kafka does it: `.deleted` is no longer wanted; `.cleaned` was not finished and is thrown away;
`.swap` was finished, and takes the place of every segment that begins within its offsets. Where a
`.cleaned` is left, the `.swap` files from its offset on are of the same replacement, and go too.
"""

from __future__ import annotations

import logging

from ottla.base.world import Disk
from ottla.log import names
from ottla.log.scan import surveys

log = logging.getLogger(__name__)


def settle(disk: Disk, directory: str) -> set[str]:
    """Finish or undo what is left; the names in the folder afterwards.

    A crash in the midst of it leaves something that settles the same way. Raises OSError.
    """
    found = disk.list_dir(directory)
    undone, unwanted, swaps = _sort([name for name in found if names.is_of_segment(name)])
    if not undone and not unwanted and not swaps:
        return set(found)
    log.info(
        "an interrupted change of segments is settled",
        extra={
            "directory": directory,
            "removed": len(undone) + len(unwanted),
            "completed": len(swaps),
        },
    )
    # The unfinished files last: they are what says that the others are not complete.
    _remove(disk, directory, undone)
    _remove(disk, directory, unwanted)
    if swaps:
        _complete(disk, directory, swaps)
    return set(disk.list_dir(directory))


def _sort(found: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Files that go first, files that go then, and finished ones that take their place."""
    cleaned = [name for name in found if name.endswith(names.CLEANED_SUFFIX)]
    first_cleaned = min((names.base_offset_of(name) for name in cleaned), default=None)
    unwanted = cleaned + [name for name in found if name.endswith(names.DELETED_SUFFIX)]
    unwanted += _without_log(found)
    undone: list[str] = []
    swaps: list[str] = []
    for name in found:
        if name.endswith(names.SWAP_SUFFIX):
            is_undone = first_cleaned is not None and names.base_offset_of(name) >= first_cleaned
            (undone if is_undone else swaps).append(name)
    return undone, unwanted, swaps


def _without_log(found: list[str]) -> list[str]:
    """Indexes whose log has gone: a removal renames the log first."""
    logs = {name for name in found if name.endswith(names.LOG_SUFFIX)}
    return [
        name
        for name in found
        for suffix in names.INDEX_SUFFIXES
        if name.endswith(suffix) and name.removesuffix(suffix) + names.LOG_SUFFIX not in logs
    ]


def _complete(disk: Disk, directory: str, swaps: list[str]) -> None:
    """Let the finished segments take the place of those that they replace."""
    suffix = names.LOG_SUFFIX + names.SWAP_SUFFIX
    logs = [name for name in swaps if name.endswith(suffix)]
    first = min((names.base_offset_of(name) for name in logs), default=0)
    end = max((_end_offset(disk, f"{directory}/{name}") for name in logs), default=0)
    replaced = [
        name
        for name in disk.list_dir(directory)
        if name.endswith((names.LOG_SUFFIX, *names.INDEX_SUFFIXES))
        and first <= names.base_offset_of(name) < end
    ]
    _remove(disk, directory, replaced)
    for name in swaps:
        disk.rename(f"{directory}/{name}", f"{directory}/{name.removesuffix(names.SWAP_SUFFIX)}")
    disk.sync_dir(directory)


def _end_offset(disk: Disk, path: str) -> int:
    """Where a finished segment ends: behind its last whole batch."""
    end = names.base_offset_of(path.rpartition("/")[2])
    file = disk.open(path)
    try:
        for found in surveys(file, end):
            end = found.nexts[-1]
    finally:
        file.close()
    return end


def _remove(disk: Disk, directory: str, unwanted: list[str]) -> None:
    for name in unwanted:
        disk.unlink(f"{directory}/{name}")
    if unwanted:
        disk.sync_dir(directory)
