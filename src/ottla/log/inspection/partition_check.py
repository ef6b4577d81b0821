"""A partition's folder, all files of it together: every inconsistency, in the order of the log."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from ottla.base.ids import ZERO_UUID, format_uuid
from ottla.base.world import Disk
from ottla.log import checkpoints, names
from ottla.log.inspection.batches import DAMAGED_SUFFIX, SegmentCheck, SegmentFacts
from ottla.log.inspection.finding import Finding, Problem
from ottla.log.inspection.index_check import check_offset_index, check_time_index
from ottla.log.inspection.producer_check import ProducerReplay, check_snapshot, check_txn_index

METADATA_FOLDER: Final = "__cluster_metadata-0"
_METADATA_FILES: Final = ("quorum-state", "leader.lock")
_METADATA_SUFFIXES: Final = (".checkpoint", ".session")
_INDEXES: Final = (names.OFFSET_INDEX_SUFFIX, names.TIME_INDEX_SUFFIX)
_SEGMENT_ENDS: Final = names.SEGMENT_SUFFIXES


class PartitionQuestion(NamedTuple):
    """A folder, and what is known of it from outside.

    `closed`: its broker has stopped in order. `compacted`: its topic is compacted, so offsets may
    be missing. `topic_id`: that of its topic, None where nobody knows.
    """

    directory: str
    closed: bool
    compacted: bool
    topic_id: bytes | None = None
    log_start_offset: int = 0


class PartitionReport(NamedTuple):
    """What was found; `segments` may be without any where the folder cannot be read."""

    findings: list[Finding]
    segments: list[SegmentFacts]

    @property
    def end_offset(self) -> int:
        return self.segments[-1].next_offset if self.segments else 0

    @property
    def start_offset(self) -> int:
        return self.segments[0].base_offset if self.segments else 0


def check_partition(disk: Disk, question: PartitionQuestion) -> PartitionReport:
    """Read everything in the folder. A file that the disk refuses is a finding, too."""
    return _Check(disk, question).run()


class _Check:
    def __init__(self, disk: Disk, question: PartitionQuestion) -> None:
        self._disk = disk
        self._question = question
        self._directory = question.directory
        self._names: list[str] = []
        self._findings: list[Finding] = []
        self._segments: list[SegmentFacts] = []

    def run(self) -> PartitionReport:
        try:
            self._names = self._disk.list_dir(self._directory)
        except OSError as error:
            return PartitionReport([_unreadable(self._directory, error)], [])
        bases = sorted(
            base for base in map(names.segment_base_offset, self._names) if base is not None
        )
        snapshots = {
            offset: name
            for name in self._names
            if (offset := names.snapshot_offset(name)) is not None
        }
        replay = ProducerReplay(set(snapshots))
        for index, base_offset in enumerate(bases):
            self._check_segment(base_offset, replay, is_last=index == len(bases) - 1)
        replay.finish(self._end_offset)
        if not bases:
            self._find(self._directory, 0, Problem.MISSING, "no segment: not one .log file")
        self._check_snapshots(snapshots, replay)
        self._check_epochs()
        self._check_identity()
        self._check_names()
        return PartitionReport(self._findings, self._segments)

    @property
    def _end_offset(self) -> int:
        return self._segments[-1].next_offset if self._segments else 0

    def _find(self, path: str, position: int, problem: Problem, detail: str) -> None:
        self._findings.append(Finding(path, position, problem, detail))

    def _path(self, name: str) -> str:
        return f"{self._directory}/{name}"

    def _read(self, name: str) -> bytes | None:
        """None, and a finding, where the disk refuses."""
        try:
            return self._disk.read_file(self._path(name))
        except OSError as error:
            self._findings.append(_unreadable(self._path(name), error))
            return None

    # --- segments ---

    def _check_segment(self, base_offset: int, replay: ProducerReplay, *, is_last: bool) -> None:
        path = names.log_path(self._directory, base_offset)
        self._check_border(path, base_offset)
        check = SegmentCheck(
            self._disk, path, next_offset=base_offset, compacted=self._question.compacted
        )
        replay.begin_segment()
        try:
            facts = check.run(replay.visit)
        except OSError as error:
            self._findings.append(_unreadable(path, error))
            return
        facts.aborted = replay.aborted
        self._findings += check.findings
        self._segments.append(facts)
        growing = is_last and not self._question.closed
        for suffix in _INDEXES:
            self._check_index(base_offset, suffix, facts, growing=growing)
        self._check_txn_index(base_offset, facts, replay)

    def _check_border(self, path: str, base_offset: int) -> None:
        """Each segment is named after the end of the one before."""
        if not self._segments:
            return
        end = self._end_offset
        if base_offset < end:
            detail = f"begins at {base_offset}, and the segment before ends at {end}"
            self._find(path, 0, Problem.SEGMENTS_OVERLAP, detail)
        elif base_offset > end and not self._question.compacted:
            detail = f"begins at {base_offset}, and the segment before ends at {end}: "
            self._find(path, 0, Problem.OFFSETS_HOLE, f"{detail}{base_offset - end} are missing")

    def _check_index(
        self, base_offset: int, suffix: str, facts: SegmentFacts, *, growing: bool
    ) -> None:
        name = names.segment_stem(base_offset) + suffix
        if name not in self._names:
            if not growing:
                self._find(self._path(name), 0, Problem.MISSING, "an index of the segment")
            return
        content = self._read(name)
        if content is None:
            return
        check = check_offset_index if suffix == names.OFFSET_INDEX_SUFFIX else check_time_index
        self._findings += check(self._path(name), content, facts, growing=growing)

    def _check_txn_index(
        self, base_offset: int, facts: SegmentFacts, replay: ProducerReplay
    ) -> None:
        name = names.segment_stem(base_offset) + names.TXN_INDEX_SUFFIX
        content = self._read(name) if name in self._names else b""
        if content is None:
            return
        is_whole = not facts.damage and self._segments[0].base_offset == 0
        self._findings += check_txn_index(
            self._path(name),
            content,
            replay.aborted,
            compacted=self._question.compacted,
            whole=is_whole,
        )

    # --- what the folder holds besides ---

    def _check_snapshots(self, found: dict[int, str], replay: ProducerReplay) -> None:
        damaged = any(facts.damage for facts in self._segments)
        for offset, name in found.items():
            if offset > self._end_offset and not damaged:
                detail = f"of offset {offset}, behind the end of the log at {self._end_offset}"
                self._find(self._path(name), 0, Problem.SNAPSHOT, detail)
                continue
            content = self._read(name)
            if content is not None:
                self._findings += check_snapshot(
                    self._path(name),
                    content,
                    offset,
                    replay.at_snapshot.get(offset, {}),
                    log_start=self._segments[0].base_offset if self._segments else 0,
                    compacted=self._question.compacted or damaged,
                )

    def _check_epochs(self) -> None:
        path = self._path(names.LEADER_EPOCHS)
        changes = [change for facts in self._segments for change in facts.epoch_changes]
        if names.LEADER_EPOCHS not in self._names:
            if changes:
                self._find(path, 0, Problem.MISSING, "the epochs of the leaders")
            return
        content = self._read(names.LEADER_EPOCHS)
        if content is None:
            return
        try:
            entries = checkpoints.decode_epochs(content)
        except ValueError as error:
            self._find(path, 0, Problem.EPOCHS, str(error))
            return
        for detail in self._epoch_contradictions(entries):
            self._find(path, 0, Problem.EPOCHS, detail)

    def _epoch_contradictions(self, entries: list[tuple[int, int]]) -> Iterator[str]:
        for (epoch, first), (next_epoch, next_first) in pairwise(entries):
            if next_epoch <= epoch or next_first < first:
                yield f"epoch {next_epoch} from {next_first} follows {epoch} from {first}"
        for epoch, first in entries:
            if first > self._end_offset and not any(facts.damage for facts in self._segments):
                yield f"epoch {epoch} begins at {first}, behind the end at {self._end_offset}"
        for facts in self._segments:
            for change in facts.epoch_changes:
                said = max((e for e, first in entries if first <= change.first_offset), default=-1)
                is_readable = change.first_offset >= self._question.log_start_offset
                if change.epoch >= 0 and said != change.epoch and is_readable:
                    yield (
                        f"the batch at offset {change.first_offset} ({facts.path}, "
                        f"{change.position}) has epoch {change.epoch}, and this says {said}"
                    )

    def _check_identity(self) -> None:
        path = self._path(names.PARTITION_METADATA)
        if names.PARTITION_METADATA not in self._names:
            self._find(path, 0, Problem.MISSING, "whose data the folder holds")
            return
        content = self._read(names.PARTITION_METADATA)
        if content is None:
            return
        try:
            stated = checkpoints.decode_partition_metadata(content)
        except (ValueError, UnicodeDecodeError) as error:
            self._find(path, 0, Problem.PARTITION_METADATA, str(error))
            return
        wanted = self._question.topic_id
        if wanted is not None and stated not in (wanted, ZERO_UUID):
            detail = f"topic id {format_uuid(stated)}, and the topic has {format_uuid(wanted)}"
            self._find(path, 0, Problem.PARTITION_METADATA, detail)

    def _check_names(self) -> None:
        """Files that a log has no use for. `.deleted` is only waiting for its end."""
        logs = {base.base_offset for base in self._segments}
        for name in self._names:
            path = self._path(name)
            if name.endswith((names.CLEANED_SUFFIX, names.SWAP_SUFFIX)):
                detail = "a replacement of segments was interrupted: the next start settles it"
                self._find(path, 0, Problem.LEFTOVER, detail)
            elif name.endswith((".tmp", ".part")):
                self._find(path, 0, Problem.LEFTOVER, "a file that was not finished")
            elif not self._belongs(name):
                self._find(path, 0, Problem.EXTRA, "nothing that a log has")
            elif name.endswith(names.INDEX_SUFFIXES) and names.base_offset_of(name) not in logs:
                self._find(path, 0, Problem.EXTRA, "an index without its log")

    def _belongs(self, name: str) -> bool:
        if name in (names.PARTITION_METADATA, names.LEADER_EPOCHS):
            return True
        if name.endswith(DAMAGED_SUFFIX):
            return True
        if name.endswith(names.DELETED_SUFFIX):
            return names.is_of_segment(name)
        if self._directory.endswith(METADATA_FOLDER) and (
            name in _METADATA_FILES or name.endswith(_METADATA_SUFFIXES)
        ):
            return True
        return names.is_of_segment(name) and name.endswith(_SEGMENT_ENDS)


def _unreadable(path: str, error: OSError) -> Finding:
    return Finding(path, 0, Problem.UNREADABLE, f"the disk refuses: {error.strerror or error}")
