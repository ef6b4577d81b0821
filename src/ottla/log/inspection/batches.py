"""One segment's batches checked, and what the checks of the other files need to know of them."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from ottla.base.errors import ProtocolError
from ottla.base.world import Disk
from ottla.log import names
from ottla.log.aborted_transactions import AbortedTransaction
from ottla.log.inspection.finding import Finding, Problem
from ottla.log.inspection.scan import Broken, Whole, scan
from ottla.wire.records.control import control_type
from ottla.wire.records.header import BatchHeader, TimestampType
from ottla.wire.records.record import Record, iter_records

DAMAGED_SUFFIX: Final = ".damaged"
"""What `repair` has cut, kept beside the log."""

Visit = Callable[[Whole], None]


class SegmentFacts:
    """The batches of one segment that are whole, by their places."""

    def __init__(self, path: str, base_offset: int, size: int) -> None:
        self.path = path
        self.base_offset = base_offset
        self.size = size
        self.next_offset = base_offset
        self.positions = array("q")
        self.first_offsets = array("q")
        self.last_offsets = array("q")
        self.timestamps = array("q")
        self.epoch_changes: list[EpochChange] = []
        self.damage: list[Broken] = []
        self.aborted: list[AbortedTransaction] = []

    @property
    def largest_timestamp(self) -> int:
        return max(self.timestamps, default=-1)

    @property
    def valid_end(self) -> int:
        """Where the first damage begins; the end of the file where there is none."""
        return self.damage[0].position if self.damage else self.size

    @property
    def is_torn(self) -> bool:
        """Whether all that is damaged lies behind the last whole batch."""
        if not self.damage:
            return False
        return not self.positions or self.damage[0].position > self.positions[-1]

    def note(self, found: Whole) -> None:
        header = found.header
        self.positions.append(found.position)
        self.first_offsets.append(header.base_offset)
        self.last_offsets.append(header.last_offset)
        self.timestamps.append(header.max_timestamp)
        self.next_offset = max(self.next_offset, header.next_offset)
        epoch = header.partition_leader_epoch
        if not self.epoch_changes or self.epoch_changes[-1].epoch != epoch:
            self.epoch_changes.append(EpochChange(epoch, header.base_offset, found.position))

    def index_at(self, position: int) -> int | None:
        """The number of the batch that begins there."""
        index = bisect_left(self.positions, position)
        is_begin = index < len(self.positions) and self.positions[index] == position
        return index if is_begin else None

    def index_of(self, offset: int) -> int | None:
        """The number of the batch that holds an offset."""
        index = bisect_right(self.first_offsets, offset) - 1
        return index if index >= 0 and offset <= self.last_offsets[index] else None


class EpochChange(NamedTuple):
    """From this batch on another leader has written."""

    epoch: int
    first_offset: int
    position: int


class SegmentCheck:
    """Reads a segment once; `findings` has what is wrong with its log file."""

    def __init__(self, disk: Disk, path: str, *, next_offset: int, compacted: bool) -> None:
        """`next_offset`: where the segment before has ended, or the base of the first."""
        self._disk = disk
        self._path = path
        self._expected = next_offset
        self._compacted = compacted
        self.findings: list[Finding] = []

    def run(self, visit: Visit) -> SegmentFacts:
        """Raises OSError. `visit` gets every whole batch, in order."""
        base_offset = names.base_offset_of(self._path.rpartition("/")[2])
        file = self._disk.open(self._path)
        try:
            facts = SegmentFacts(self._path, base_offset, file.size)
            for found in scan(file):
                if isinstance(found, Broken):
                    facts.damage.append(found)
                    self._find(found.position, found.problem, found.detail)
                    self._expected = -1
                else:
                    self._check(found, facts)
                    facts.note(found)
                    visit(found)
        finally:
            file.close()
        return facts

    def _find(self, position: int, problem: Problem, detail: str) -> None:
        self.findings.append(Finding(self._path, position, problem, detail))

    def _check(self, found: Whole, facts: SegmentFacts) -> None:
        header, position = found.header, found.position
        first = header.base_offset
        # Behind damage nobody knows which offset comes next: it need only not go back.
        least = self._expected if self._expected >= 0 else facts.next_offset
        if first < least:
            self._find(position, Problem.OFFSETS_BACK, f"offset {first} follows {least - 1}")
        elif first > least and self._expected >= 0 and not self._compacted:
            detail = f"offset {first} where {least} should be: {first - least} are missing"
            self._find(position, Problem.OFFSETS_HOLE, detail)
        self._expected = max(header.next_offset, least)
        for problem, detail in header_problems(header):
            self._find(position, problem, detail)
        for problem, detail in record_problems(found, compacted=self._compacted):
            self._find(position, problem, detail)


def header_problems(header: BatchHeader) -> Iterator[tuple[Problem, str]]:
    """What a header says that cannot be."""
    if header.base_offset < 0:
        yield Problem.BATCH_HEADER, f"a base offset of {header.base_offset}"
    if header.last_offset_delta < 0:
        yield Problem.BATCH_HEADER, f"a last offset delta of {header.last_offset_delta}"
    if header.is_transactional and header.producer_id < 0:
        yield Problem.BATCH_HEADER, "a transactional batch without a producer id"
    if header.producer_id >= 0 and header.producer_epoch < 0:
        yield Problem.BATCH_HEADER, f"producer {header.producer_id} without an epoch"


def record_problems(found: Whole, *, compacted: bool) -> Iterator[tuple[Problem, str]]:
    """Where the records of a batch and its header disagree."""
    header = found.header
    try:
        records = list(iter_records(found.batch))
        if header.is_control:
            for record in records:
                control_type(record.key)
    except ProtocolError as error:
        yield Problem.BATCH_RECORDS, error.message
        return
    yield from _offset_problems(header, records, compacted=compacted)
    yield from _timestamp_problems(header, records, compacted=compacted)


def _offset_problems(
    header: BatchHeader, records: list[Record], *, compacted: bool
) -> Iterator[tuple[Problem, str]]:
    offsets = [record.offset for record in records]
    count = header.last_offset_delta + 1
    if not compacted and len(records) != count:
        detail = f"{len(records)} records, and the last offset delta says {count}"
        yield Problem.BATCH_RECORDS, detail
        return
    if any(after <= before for before, after in pairwise(offsets)):
        yield Problem.BATCH_RECORDS, "the offset deltas of the records do not grow"
    elif offsets and (offsets[0] < header.base_offset or offsets[-1] > header.last_offset):
        yield Problem.BATCH_RECORDS, "a record's offset lies outside of the batch"


def _timestamp_problems(
    header: BatchHeader, records: list[Record], *, compacted: bool
) -> Iterator[tuple[Problem, str]]:
    if header.timestamp_type is TimestampType.LOG_APPEND_TIME or not records:
        return
    largest = max(record.timestamp for record in records)
    fits = header.max_timestamp >= largest if compacted else header.max_timestamp == largest
    if not fits:
        detail = f"the largest timestamp is {largest}, the header says {header.max_timestamp}"
        yield Problem.BATCH_RECORDS, detail
