"""The two indexes of a segment, entry by entry, against its batches."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from ottla.log.inspection.batches import SegmentFacts
from ottla.log.inspection.finding import Finding, Problem

OFFSET_ENTRY: Final = struct.Struct(">ii")
TIME_ENTRY: Final = struct.Struct(">qi")


def strip_preallocated(content: bytes, entry_size: int) -> bytes:
    """Without the zeros that Kafka puts behind the last entry of an index that is being written."""
    rest = len(content) % entry_size
    whole = content[: len(content) - rest] if rest else content
    used = len(whole.rstrip(b"\0"))
    kept = -(-used // entry_size) * entry_size
    return content if kept == len(whole) else content[:kept]


def check_offset_index(
    path: str, content: bytes, facts: SegmentFacts, *, growing: bool
) -> Iterator[Finding]:
    """`growing`: the segment was being written when its files were last touched."""
    if growing:
        content = strip_preallocated(content, OFFSET_ENTRY.size)
    yield from _partial(path, content, OFFSET_ENTRY.size, Problem.OFFSET_INDEX)
    before_offset, before_position = -1, -1
    for at, (relative, target) in _entries(content, OFFSET_ENTRY):
        detail = None
        index = facts.index_at(target)
        if relative <= before_offset or target <= before_position:
            detail = f"offset {facts.base_offset + relative} at {target} goes back"
        elif target >= facts.size:
            detail = f"points to {target}, behind the end of the log at {facts.size}"
        elif index is None:
            detail = f"points to {target}, where no batch begins"
        elif facts.last_offsets[index] != facts.base_offset + relative:
            detail = (
                f"names offset {facts.base_offset + relative}, and the batch at {target} ends with "
                f"{facts.last_offsets[index]}"
            )
        if detail is not None:
            yield Finding(path, at, Problem.OFFSET_INDEX, detail)
        before_offset, before_position = max(before_offset, relative), max(before_position, target)


def check_time_index(
    path: str, content: bytes, facts: SegmentFacts, *, growing: bool
) -> Iterator[Finding]:
    """See `check_offset_index`; the last entry of a finished segment is its largest timestamp."""
    if growing:
        content = strip_preallocated(content, TIME_ENTRY.size)
    yield from _partial(path, content, TIME_ENTRY.size, Problem.TIME_INDEX)
    largest_so_far = list(accumulate(facts.timestamps, max))
    before_time, before_offset = -1, -1
    for at, (timestamp, relative) in _entries(content, TIME_ENTRY):
        detail = None
        index = facts.index_of(facts.base_offset + relative)
        if timestamp <= before_time or relative < before_offset:
            detail = f"timestamp {timestamp}, offset {facts.base_offset + relative} goes back"
        elif index is None:
            detail = f"points to offset {facts.base_offset + relative}, which no batch holds"
        elif facts.timestamps[index] != timestamp:
            detail = (
                f"says {timestamp} of offset {facts.base_offset + relative}, and its batch has "
                f"{facts.timestamps[index]}"
            )
        elif largest_so_far[index] > timestamp:
            detail = f"a batch up to it is later: {largest_so_far[index]}"
        if detail is not None:
            yield Finding(path, at, Problem.TIME_INDEX, detail)
        before_time, before_offset = max(before_time, timestamp), max(before_offset, relative)
    if not growing and facts.largest_timestamp > before_time:
        detail = f"the largest timestamp, {facts.largest_timestamp}, is missing at its end"
        yield Finding(path, len(content), Problem.TIME_INDEX, detail)


def _partial(path: str, content: bytes, size: int, problem: Problem) -> Iterator[Finding]:
    rest = len(content) % size
    if rest:
        detail = f"{rest} bytes at the end are no whole entry of {size}"
        yield Finding(path, len(content) - rest, problem, detail)


def _entries(content: bytes, entry: struct.Struct) -> Iterator[tuple[int, tuple[int, int]]]:
    whole = len(content) - len(content) % entry.size
    for at in range(0, whole, entry.size):
        first, second = entry.unpack_from(content, at)
        yield at, (first, second)
