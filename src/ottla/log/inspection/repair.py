"""Mending a partition's folder as a start after a crash would, with nothing thrown away.

A plan says what would be done, and is data; `repair` does it. What is cut or replaced is kept
beside the log as `<file>.<position>.damaged`. Batches that are whole are cut only on demand:
behind damage in the middle of a log there may be years of data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from ottla.base.limits import MIB
from ottla.base.world import Disk, replace_file
from ottla.log import checkpoints, leftovers, names
from ottla.log.config import LogConfig
from ottla.log.inspection.batches import DAMAGED_SUFFIX, SegmentFacts
from ottla.log.inspection.finding import Finding, Problem
from ottla.log.inspection.partition_check import (
    PartitionQuestion,
    PartitionReport,
    check_partition,
)
from ottla.log.inspection.producer_check import encode_txn_index
from ottla.log.open_files import OpenFiles
from ottla.log.segment import Segment

_COPY_BYTES: Final = MIB
_BORDERS: Final = (Problem.SEGMENTS_OVERLAP, Problem.OFFSETS_HOLE)


class Action(StrEnum):
    """What a step does; the values are what programs read."""

    SETTLE = "settle-leftovers"
    CUT = "cut"
    SET_ASIDE = "set-aside"
    REINDEX = "rebuild-indexes"
    REWRITE_TXN_INDEX = "rewrite-txn-index"
    REWRITE_EPOCHS = "rewrite-leader-epochs"


class Step(NamedTuple):
    """One change; `position` is where a cut begins."""

    action: Action
    path: str
    position: int
    detail: str


class RepairPlan(NamedTuple):
    """What would be done, and what would stay wrong."""

    steps: list[Step]
    left: list[Finding]

    @property
    def cuts(self) -> bool:
        """Whether bytes of a log would go."""
        return any(
            step.action is Action.CUT
            or (step.action is Action.SET_ASIDE and step.path.endswith(names.LOG_SUFFIX))
            for step in self.steps
        )


def plan_repair(
    disk: Disk, question: PartitionQuestion, *, cut_after_damage: bool = False
) -> RepairPlan:
    """What is to be done about a partition's folder; changes nothing.

    `cut_after_damage`: end the log at the first damage, whatever follows.
    """
    return _plan(check_partition(disk, question), question, cut_after_damage=cut_after_damage)


def repair(
    disk: Disk, question: PartitionQuestion, *, cut_after_damage: bool = False
) -> list[Step]:
    """Do it; what was done. Raises OSError, and then some of it is done.

    In three rounds, each looking again: what an interrupted change left, then the log files, then
    what is made from them.
    """
    rounds = (
        (Action.SETTLE,),
        (Action.CUT, Action.SET_ASIDE),
        tuple(Action),
    )
    done = []
    for actions in rounds:
        report = check_partition(disk, question)
        plan = _plan(report, question, cut_after_damage=cut_after_damage)
        for step in plan.steps:
            if step.action in actions:
                _run(disk, question.directory, step, report)
                done.append(step)
    return done


# --- planning ---


def _plan(
    report: PartitionReport, question: PartitionQuestion, *, cut_after_damage: bool
) -> RepairPlan:
    end = _cut_of(report, cut_after_damage=cut_after_damage)
    steps = [
        *_settle_step(report, question),
        *_cut_steps(report, end),
        *_rebuild_steps(report, question, end),
    ]
    return RepairPlan(steps, _left(report, end))


class _Cut(NamedTuple):
    """The log ends at `position` of this segment."""

    segment: int
    position: int


def _cut_of(report: PartitionReport, *, cut_after_damage: bool) -> _Cut | None:
    """Where the log is to end; None where all of it stays."""
    segments = report.segments
    if cut_after_damage:
        broken = {finding.path for finding in report.findings if finding.problem in _BORDERS}
        for index, facts in enumerate(segments):
            if index and facts.path in broken and _is_border(report, facts):
                return _Cut(index - 1, segments[index - 1].size)
            if facts.damage:
                return _Cut(index, facts.valid_end)
        return None
    if segments and segments[-1].is_torn:
        return _Cut(len(segments) - 1, segments[-1].valid_end)
    return None


def _is_border(report: PartitionReport, facts: SegmentFacts) -> bool:
    return any(
        finding.path == facts.path and finding.position == 0 and finding.problem in _BORDERS
        for finding in report.findings
    )


def _settle_step(report: PartitionReport, question: PartitionQuestion) -> Iterator[Step]:
    found = [finding for finding in report.findings if _is_settled(finding)]
    if found:
        detail = f"{len(found)} files of an interrupted change: finished or undone"
        yield Step(Action.SETTLE, question.directory, 0, detail)


def _is_settled(finding: Finding) -> bool:
    if finding.problem is Problem.LEFTOVER:
        return finding.path.endswith((names.CLEANED_SUFFIX, names.SWAP_SUFFIX))
    return finding.problem is Problem.EXTRA and finding.path.endswith(names.INDEX_SUFFIXES)


def _cut_steps(report: PartitionReport, cut: _Cut | None) -> Iterator[Step]:
    if cut is None:
        return
    facts = report.segments[cut.segment]
    if cut.position < facts.size:
        detail = f"{facts.size - cut.position} bytes behind the last whole batch"
        yield Step(Action.CUT, facts.path, cut.position, detail)
    for later in reversed(report.segments[cut.segment + 1 :]):
        detail = f"{later.size} bytes, offsets {later.base_offset} to {later.next_offset - 1}"
        yield Step(Action.SET_ASIDE, later.path, 0, detail)


def _rebuild_steps(
    report: PartitionReport, question: PartitionQuestion, cut: _Cut | None
) -> Iterator[Step]:
    kept = report.segments if cut is None else report.segments[: cut.segment + 1]
    of_path = {finding.path: finding for finding in report.findings}
    for index, facts in enumerate(kept):
        stem = facts.path.removesuffix(names.LOG_SUFFIX)
        wrong = [
            of_path[stem + suffix]
            for suffix in (names.OFFSET_INDEX_SUFFIX, names.TIME_INDEX_SUFFIX)
            if stem + suffix in of_path
        ]
        is_cut = cut is not None and index == cut.segment and cut.position < facts.size
        if (wrong or is_cut) and (is_cut or not facts.damage):
            detail = wrong[0].detail if wrong else "its log was cut"
            yield Step(Action.REINDEX, facts.path, 0, detail)
        txn_path = stem + names.TXN_INDEX_SUFFIX
        if txn_path in of_path and not facts.damage:
            yield Step(Action.REWRITE_TXN_INDEX, txn_path, 0, of_path[txn_path].detail)
    for finding in report.findings:
        if finding.problem is Problem.SNAPSHOT:
            yield Step(Action.SET_ASIDE, finding.path, 0, finding.detail)
    epochs = f"{question.directory}/{names.LEADER_EPOCHS}"
    if epochs in of_path:
        yield Step(Action.REWRITE_EPOCHS, epochs, 0, of_path[epochs].detail)


def _left(report: PartitionReport, cut: _Cut | None) -> list[Finding]:
    """Findings that no step mends."""
    mended = {
        Problem.SNAPSHOT,
        Problem.EPOCHS,
        Problem.OFFSET_INDEX,
        Problem.TIME_INDEX,
        Problem.TXN_INDEX,
    }
    damaged = {
        facts.path.removesuffix(names.LOG_SUFFIX)
        for index, facts in enumerate(report.segments)
        if facts.damage and (cut is None or index < cut.segment)
    }
    gone = {facts.path for facts in report.segments[cut.segment + 1 :]} if cut else set()
    at_end = report.segments[cut.segment].path if cut else ""
    left = []
    for finding in report.findings:
        stem = finding.path.rpartition(".")[0]
        is_mended = (finding.problem in mended and stem not in damaged) or _is_settled(finding)
        is_made_anew = finding.problem is Problem.MISSING and (
            finding.path.endswith(names.INDEX_SUFFIXES)
            or finding.path.endswith(names.LEADER_EPOCHS)
        )
        is_cut = finding.path in gone or (
            cut is not None and finding.path == at_end and finding.position >= cut.position
        )
        if not (is_mended or is_made_anew or is_cut):
            left.append(finding)
    return left


# --- doing ---


def _run(disk: Disk, directory: str, step: Step, report: PartitionReport) -> None:
    match step.action:
        case Action.SETTLE:
            leftovers.settle(disk, directory)
        case Action.CUT:
            _cut(disk, step)
        case Action.SET_ASIDE:
            _set_aside(disk, step.path)
        case Action.REINDEX:
            _reindex(disk, directory, _facts_of(report, step.path))
        case Action.REWRITE_TXN_INDEX:
            log_path = step.path.removesuffix(names.TXN_INDEX_SUFFIX) + names.LOG_SUFFIX
            _keep(disk, step.path)
            replace_file(disk, step.path, encode_txn_index(_facts_of(report, log_path).aborted))
        case Action.REWRITE_EPOCHS:
            _keep(disk, step.path)
            replace_file(disk, step.path, checkpoints.encode_epochs(epochs_of(report.segments)))


def _facts_of(report: PartitionReport, path: str) -> SegmentFacts:
    return next(facts for facts in report.segments if facts.path == path)


def epochs_of(segments: Iterable[SegmentFacts]) -> list[tuple[int, int]]:
    """(epoch, first offset) of each leader, as the batches tell."""
    entries: list[tuple[int, int]] = []
    for facts in segments:
        for change in facts.epoch_changes:
            if change.epoch > (entries[-1][0] if entries else -1):
                entries.append((change.epoch, change.first_offset))
    return entries


def _cut(disk: Disk, step: Step) -> None:
    """Cut a file, what is cut being on the disk elsewhere first."""
    file = disk.open(step.path)
    try:
        _copy(disk, step.path, step.position)
        file.truncate(step.position)
        file.sync()
    finally:
        file.close()


def _keep(disk: Disk, path: str) -> None:
    if disk.exists(path):
        _copy(disk, path, 0)


def _copy(disk: Disk, path: str, start: int) -> None:
    target = _free_name(disk, path, start)
    source = disk.open(path)
    copy = disk.open(target, create=True)
    try:
        for position in range(start, source.size, _COPY_BYTES):
            copy.append([source.read_at(position, _COPY_BYTES)])
        copy.sync()
    finally:
        copy.close()
        source.close()
    disk.sync_dir(path.rpartition("/")[0])


def _set_aside(disk: Disk, path: str) -> None:
    disk.rename(path, _free_name(disk, path, 0))
    disk.sync_dir(path.rpartition("/")[0])
    if path.endswith(names.LOG_SUFFIX):
        _remove_indexes(disk, path.removesuffix(names.LOG_SUFFIX))


def _remove_indexes(disk: Disk, stem: str) -> None:
    for suffix in names.INDEX_SUFFIXES:
        if disk.exists(stem + suffix):
            disk.unlink(stem + suffix)
    disk.sync_dir(stem.rpartition("/")[0])


def _free_name(disk: Disk, path: str, position: int) -> str:
    """Never in the place of what an earlier repair has kept."""
    name, number = f"{path}.{position}{DAMAGED_SUFFIX}", 1
    while disk.exists(name):
        number += 1
        name = f"{path}.{position}-{number}{DAMAGED_SUFFIX}"
    return name


def _reindex(disk: Disk, directory: str, facts: SegmentFacts) -> None:
    segment = Segment(directory, facts.base_offset, LogConfig(), OpenFiles(disk), fresh=True)
    segment.load_sealed(facts.next_offset)
    try:
        segment.reindex()
    finally:
        segment.release()
    disk.sync_dir(directory)
