"""What is wrong with a file, and where."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Problem(StrEnum):
    """Kinds of inconsistency; the values are what programs read."""

    BATCH_CRC = "batch-crc"
    BATCH_MAGIC = "batch-magic"
    BATCH_LENGTH = "batch-length"
    BATCH_HEADER = "batch-header"
    BATCH_RECORDS = "batch-records"
    OLD_FORMAT = "old-format"
    TORN_TAIL = "torn-tail"
    OFFSETS_BACK = "offsets-back"
    OFFSETS_HOLE = "offsets-hole"
    SEGMENTS_OVERLAP = "segments-overlap"
    OFFSET_INDEX = "offset-index"
    TIME_INDEX = "time-index"
    TXN_INDEX = "txn-index"
    SNAPSHOT = "producer-snapshot"
    EPOCHS = "leader-epochs"
    PARTITION_METADATA = "partition-metadata"
    CHECKPOINT = "checkpoint"
    META_PROPERTIES = "meta-properties"
    MISSING = "missing-file"
    EXTRA = "extra-file"
    LEFTOVER = "leftover"
    UNREADABLE = "unreadable"


class Finding(NamedTuple):
    """One inconsistency; `position` is in bytes from the begin of the file."""

    path: str
    position: int
    problem: Problem
    detail: str
