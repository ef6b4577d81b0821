"""What an interrupted removal or replacement of segments left in a partition's folder.

As Kafka does it: `.deleted` is no longer wanted; `.cleaned` was not finished and is thrown away;
`.swap` was finished, and takes the place of every segment that begins within its offsets. Where a
`.cleaned` is left, the `.swap` files from its offset on are of the same replacement, and go too.
"""

from __future__ import annotations

import logging
from typing import Final

from ottla.base.world import Disk
from ottla.log import names
from ottla.log.scan import surveys

log = logging.getLogger(__name__)

_MARK_SUFFIX: Final = names.OFFSET_INDEX_SUFFIX + names.SWAP_SUFFIX
"""Says that a replacement is not complete, from its begin to its end."""


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
    """Let the finished segments take the place of those that they replace.

    A log takes its name first. As long as `.swap` indexes lie beside it, the older segments within
    its offsets may still be there, and its own indexes be those of the log that it replaced.
    """
    for base_offset in sorted({names.base_offset_of(name) for name in swaps}):
        stem = f"{directory}/{names.segment_stem(base_offset)}"
        log_path, mark = stem + names.LOG_SUFFIX, stem + _MARK_SUFFIX
        if disk.exists(log_path + names.SWAP_SUFFIX):
            if not disk.exists(mark):
                disk.open(mark, create=True).close()
                disk.sync_dir(directory)
            disk.rename(log_path + names.SWAP_SUFFIX, log_path)
            disk.sync_dir(directory)
        if disk.exists(log_path):
            _remove_within(disk, directory, base_offset, _end_offset(disk, log_path))
        # Whose the indexes are is not sure: they are made anew when they are needed. But who was
        # aborted is said nowhere else, and saying it of too many transactions does no harm.
        unsure = [stem + suffix for suffix in (names.OFFSET_INDEX_SUFFIX, names.TIME_INDEX_SUFFIX)]
        unsure += [stem + suffix + names.SWAP_SUFFIX for suffix in names.INDEX_SUFFIXES]
        # The mark last: it is what says that there is something to do.
        unsure.remove(mark)
        for path in (*unsure, mark):
            if path == mark:
                disk.sync_dir(directory)
            if disk.exists(path):
                disk.unlink(path)
        disk.sync_dir(directory)


def _remove_within(disk: Disk, directory: str, base_offset: int, end_offset: int) -> None:
    """Remove the segments that begin behind `base_offset` and below `end_offset`."""
    _remove(
        disk,
        directory,
        [
            name
            for name in disk.list_dir(directory)
            if name.endswith((names.LOG_SUFFIX, *names.INDEX_SUFFIXES))
            and base_offset < names.base_offset_of(name) < end_offset
        ],
    )


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
