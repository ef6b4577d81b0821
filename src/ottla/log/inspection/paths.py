"""What a path on the command line means: a file, a partition's folder, or a data directory."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from ottla.base.world import Disk
from ottla.log import checkpoints, names


class PathKind(Enum):
    """What lies at a path."""

    FILE = "file"
    PARTITION = "partition"
    DIRECTORY = "directory"


class Located(NamedTuple):
    """A path, and the data directory around it where it lies in one."""

    kind: PathKind
    path: str
    data_directory: str | None


def locate(disk: Disk, path: str) -> Located:
    """`path` is absolute. Raises OSError where nothing is there."""
    try:
        found = disk.list_dir(path)
    except NotADirectoryError:
        folder = path.rpartition("/")[0]
        return Located(PathKind.FILE, path, _data_directory_above(disk, folder))
    if checkpoints.META_PROPERTIES in found:
        return Located(PathKind.DIRECTORY, path, path)
    if any(names.is_of_segment(name) for name in found) or names.PARTITION_METADATA in found:
        return Located(PathKind.PARTITION, path, _data_directory_above(disk, path))
    return Located(PathKind.DIRECTORY, path, path)


def _data_directory_above(disk: Disk, folder: str) -> str | None:
    """The folder itself or its parent, whichever is a data directory."""
    for candidate in (folder, folder.rpartition("/")[0]):
        if candidate and disk.exists(f"{candidate}/{checkpoints.META_PROPERTIES}"):
            return candidate
    return None
