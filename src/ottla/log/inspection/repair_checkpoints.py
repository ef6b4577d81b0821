"""The checkpoints of a data directory, brought down to what its logs hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ottla.base.world import Disk, replace_file
from ottla.log import checkpoints, names
from ottla.log.inspection.batches import DAMAGED_SUFFIX
from ottla.log.inspection.directory_check import (
    DirectoryReport,
    TopicFacts,
    check_directory,
    read_offsets,
)
from ottla.log.inspection.finding import Finding, Problem


class CheckpointStep(NamedTuple):
    """One file that is written anew."""

    action: str
    path: str
    position: int
    detail: str


def mend_checkpoints(
    disk: Disk, directory: str, topics: Mapping[str, TopicFacts], *, dry_run: bool
) -> tuple[list[CheckpointStep], list[Finding]]:
    """What is done, and the directory's other findings, which stay. Raises OSError."""
    report = check_directory(disk, directory, topics)
    wrong: dict[str, list[Finding]] = {}
    left = []
    for finding in report.findings:
        if finding.problem is Problem.CHECKPOINT:
            wrong.setdefault(finding.path, []).append(finding)
        else:
            left.append(finding)
    steps = []
    for path, findings in wrong.items():
        steps.append(CheckpointStep("rewrite-checkpoint", path, 0, findings[0].detail))
        if not dry_run:
            _rewrite(disk, directory, path, report)
    return steps, left


def _rewrite(disk: Disk, directory: str, path: str, report: DirectoryReport) -> None:
    """Offsets of logs that are here, none behind its end; what cannot be read begins anew."""
    name = path.rpartition("/")[2]
    kept = {}
    for key, offset in read_offsets(disk, directory, name).items():
        partition = report.partitions.get(names.folder_name(key))
        if partition is not None:
            kept[key] = max(min(offset, partition.end_offset), 0)
    replace_file(disk, path + DAMAGED_SUFFIX, disk.read_file(path))
    replace_file(disk, path, checkpoints.encode_offsets(kept))
