"""A whole data directory: its partitions, and its checkpoints against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from ottla.base.ids import METADATA_TOPIC_ID, TopicPartition
from ottla.base.world import Disk
from ottla.log import checkpoints, names
from ottla.log.inspection.batches import DAMAGED_SUFFIX
from ottla.log.inspection.finding import Finding, Problem
from ottla.log.inspection.partition_check import (
    METADATA_FOLDER,
    PartitionQuestion,
    PartitionReport,
    check_partition,
)

_WAITING_SUFFIX: Final = "-delete"
_LEFT_SUFFIXES: Final = ("-future", "-stray")
_INTERNAL_COMPACTED: Final = ("__consumer_offsets", "__transaction_state", "__share_group_state")
_OFFSET_FILES: Final = (
    checkpoints.RECOVERY_POINTS,
    checkpoints.LOG_START_OFFSETS,
    checkpoints.HIGH_WATERMARKS,
    checkpoints.CLEANER_OFFSETS,
)
_KNOWN_FILES: Final = (
    *_OFFSET_FILES,
    checkpoints.META_PROPERTIES,
    checkpoints.CLEAN_SHUTDOWN,
    "bootstrap.checkpoint",
    ".lock",
    *(f"{name}{DAMAGED_SUFFIX}" for name in _OFFSET_FILES),
)


class TopicFacts(NamedTuple):
    """What the cluster's metadata says of a topic."""

    topic_id: bytes
    compacted: bool


class DirectoryReport(NamedTuple):
    """`partitions` by folder name."""

    findings: list[Finding]
    partitions: dict[str, PartitionReport]

    def all_findings(self) -> Iterator[Finding]:
        yield from self.findings
        for report in self.partitions.values():
            yield from report.findings


def is_closed(disk: Disk, directory: str) -> bool:
    """Whether the last stop of the directory's broker was an orderly one."""
    return disk.exists(f"{directory}/{checkpoints.CLEAN_SHUTDOWN}")


def read_offsets(disk: Disk, directory: str, name: str) -> dict[TopicPartition, int]:
    """A checkpoint of offsets; none where it is missing or broken (that is told elsewhere)."""
    try:
        return checkpoints.decode_offsets(disk.read_file(f"{directory}/{name}"))
    except (OSError, ValueError):
        return {}


def question_for(
    disk: Disk, directory: str, folder: str, topics: Mapping[str, TopicFacts]
) -> PartitionQuestion:
    """What is known of a partition's folder from the data directory around it."""
    key = names.folder_partition(folder)
    topic = topics.get(key.topic) if key else None
    compacted = key is not None and (
        key.topic in _INTERNAL_COMPACTED
        or (topic is not None and topic.compacted)
        or key in read_offsets(disk, directory, checkpoints.CLEANER_OFFSETS)
    )
    starts = read_offsets(disk, directory, checkpoints.LOG_START_OFFSETS)
    topic_id = topic.topic_id if topic else None
    return PartitionQuestion(
        f"{directory}/{folder}",
        # The metadata log is opened as after a crash each time: nothing marks its closing alone.
        closed=is_closed(disk, directory),
        compacted=compacted,
        topic_id=METADATA_TOPIC_ID if folder == METADATA_FOLDER else topic_id,
        log_start_offset=starts.get(key, 0) if key else 0,
    )


def check_directory(
    disk: Disk, directory: str, topics: Mapping[str, TopicFacts]
) -> DirectoryReport:
    """Everything in a data directory. Raises OSError where it cannot be listed."""
    found = disk.list_dir(directory)
    folders = [name for name in found if names.folder_partition(name) is not None]
    partitions = {
        folder: check_partition(disk, question_for(disk, directory, folder, topics))
        for folder in folders
    }
    findings = [
        *_check_meta(disk, directory, found),
        *_check_offsets(disk, directory, found, partitions),
        *_check_names(directory, found, set(folders)),
    ]
    return DirectoryReport(findings, partitions)


def _check_meta(disk: Disk, directory: str, found: list[str]) -> Iterator[Finding]:
    path = f"{directory}/{checkpoints.META_PROPERTIES}"
    if checkpoints.META_PROPERTIES not in found:
        yield Finding(path, 0, Problem.MISSING, "whose directory this is")
        return
    try:
        checkpoints.decode_meta_properties(disk.read_file(path))
    except (OSError, ValueError) as error:
        yield Finding(path, 0, Problem.META_PROPERTIES, str(error))


def _check_offsets(
    disk: Disk, directory: str, found: list[str], partitions: Mapping[str, PartitionReport]
) -> Iterator[Finding]:
    for name in _OFFSET_FILES:
        path = f"{directory}/{name}"
        if name not in found:
            continue
        try:
            content = disk.read_file(path)
            # Kafka makes the file empty and fills it later.
            offsets = checkpoints.decode_offsets(content) if content else {}
        except (OSError, ValueError) as error:
            yield Finding(path, 0, Problem.CHECKPOINT, str(error))
            continue
        for key, offset in offsets.items():
            detail = _checkpoint_problem(name, key, offset, partitions)
            if detail is not None:
                at = max(content.find(f"{key.topic} {key.partition} ".encode()), 0)
                yield Finding(path, at, Problem.CHECKPOINT, f"{key}: {detail}")


def _checkpoint_problem(
    name: str, key: TopicPartition, offset: int, partitions: Mapping[str, PartitionReport]
) -> str | None:
    report = partitions.get(names.folder_name(key))
    if report is None:
        return "there is no folder of this partition"
    if offset < 0:
        return f"an offset of {offset}"
    damaged = any(facts.damage for facts in report.segments)
    if offset > report.end_offset and not damaged:
        return f"{offset} is behind the end of the log at {report.end_offset}"
    return None


def _check_names(directory: str, found: list[str], folders: set[str]) -> Iterator[Finding]:
    for name in found:
        path = f"{directory}/{name}"
        if name in folders or name in _KNOWN_FILES or name.endswith(_WAITING_SUFFIX):
            continue
        if name.endswith(_LEFT_SUFFIXES):
            detail = "a replica that was on its way to or from another directory"
            yield Finding(path, 0, Problem.LEFTOVER, detail)
        elif name.endswith(".tmp"):
            yield Finding(path, 0, Problem.LEFTOVER, "a file that was not finished")
        else:
            yield Finding(path, 0, Problem.EXTRA, "nothing that a data directory has")
