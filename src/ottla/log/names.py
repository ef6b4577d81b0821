"""Names of files and folders of a log directory, as Kafka gives them."""

from __future__ import annotations

import re
from typing import Final

from ottla.base.ids import TopicPartition

LOG_SUFFIX: Final = ".log"
OFFSET_INDEX_SUFFIX: Final = ".index"
TIME_INDEX_SUFFIX: Final = ".timeindex"
TXN_INDEX_SUFFIX: Final = ".txnindex"
SNAPSHOT_SUFFIX: Final = ".snapshot"

SEGMENT_SUFFIXES: Final = (
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    TIME_INDEX_SUFFIX,
    TXN_INDEX_SUFFIX,
    SNAPSHOT_SUFFIX,
)
"""All that goes with a segment; the log comes first: without it the rest means nothing."""

INDEX_SUFFIXES: Final = (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX)

DELETED_SUFFIX: Final = ".deleted"
"""A file that nobody needs any more, until it is unlinked."""
CLEANED_SUFFIX: Final = ".cleaned"
"""A file that compaction still writes."""
SWAP_SUFFIX: Final = ".swap"
"""A file that compaction has finished, and that takes the place of others."""

PARTITION_METADATA: Final = "partition.metadata"
LEADER_EPOCHS: Final = "leader-epoch-checkpoint"

_STEM_LENGTH: Final = 20
_LOG_NAME: Final = re.compile(r"(\d{20})\.log")
_SNAPSHOT_NAME: Final = re.compile(r"(\d{20})\.snapshot")
_FOLDER_NAME: Final = re.compile(r"([a-zA-Z0-9._-]+)-(\d{1,10})")


def segment_stem(base_offset: int) -> str:
    """Twenty digits, so that names sort as offsets do."""
    return f"{base_offset:020d}"


def log_path(directory: str, base_offset: int) -> str:
    return f"{directory}/{segment_stem(base_offset)}{LOG_SUFFIX}"


def segment_base_offset(name: str) -> int | None:
    """The base offset in the name of a `.log` file; None for any other name."""
    found = _LOG_NAME.fullmatch(name)
    return int(found[1]) if found else None


def base_offset_of(name: str) -> int:
    """The base offset in the name of any file of a segment, whatever its suffixes."""
    return int(name[:_STEM_LENGTH])


def is_of_segment(name: str) -> bool:
    """Whether the file belongs to a segment, by its name."""
    return name[:_STEM_LENGTH].isdecimal() and name[_STEM_LENGTH : _STEM_LENGTH + 1] == "."


def snapshot_offset(name: str) -> int | None:
    """The offset in the name of a `.snapshot` file; None for any other name."""
    found = _SNAPSHOT_NAME.fullmatch(name)
    return int(found[1]) if found else None


def folder_name(partition: TopicPartition) -> str:
    return f"{partition.topic}-{partition.partition}"


def folder_partition(name: str) -> TopicPartition | None:
    """The partition that a folder belongs to; None for a folder that is none's.

    `orders-eu-3` is partition 3 of `orders-eu`. Folders on their way out (`orders-3.<uuid>-delete`)
    and half made ones belong to nobody.
    """
    found = _FOLDER_NAME.fullmatch(name)
    return TopicPartition(found[1], int(found[2])) if found else None
