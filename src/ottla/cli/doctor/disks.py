"""Whether brokers have room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ottla.cli.doctor.finding import Finding, Level
from ottla.cli.output import size_text

if TYPE_CHECKING:
    from ottla.client.admin.log_dirs import LogDir
    from ottla.client.admin.outcomes import Outcomes

_SCARCE: Final = 0.15
_NEARLY_NOTHING: Final = 0.05
_REMEDY: Final = (
    "make room: shorter retention.ms, `ottla topic delete-records`, a larger disk, or "
    "`ottla disk move` to another directory"
)


def look_at_disks(told: Outcomes[int, Mapping[str, LogDir]]) -> list[Finding]:
    """By the share of a disk that is left."""
    places = [
        (broker_id, directory)
        for broker_id, directories in told.done.items()
        for directory in directories.values()
    ]
    findings = [finding for broker_id, each in places for finding in _of(broker_id, each)]
    for broker_id, error in told.errors.items():
        findings.append(
            Finding(
                level=Level.NOTE, about=f"broker {broker_id}", told=f"it does not tell: {error}"
            )
        )
    used = sum(
        replica.size_bytes for _, directory in places for replica in directory.replicas.values()
    )
    directories = "1 data directory" if len(places) == 1 else f"{len(places)} data directories"
    summary = f"{directories} with {size_text(used)} of records"
    return [Finding(level=Level.FINE, about="", told=summary), *findings]


def _of(broker_id: int, directory: LogDir) -> Iterator[Finding]:
    about = f"broker {broker_id}, {directory.path}"
    if directory.error is not None:
        yield Finding(
            level=Level.PROBLEM,
            about=about,
            told=f"the directory cannot be used: {directory.error}",
            remedy="repair the disk and start the broker again: its log says what has failed",
        )
        return
    if directory.is_cordoned:
        yield Finding(level=Level.NOTE, about=about, told="it takes no new partitions: cordoned")
    total, usable = directory.total_bytes, directory.usable_bytes
    if total and usable is not None and usable / total < _SCARCE:
        yield Finding(
            level=Level.PROBLEM if usable / total < _NEARLY_NOTHING else Level.WARNING,
            about=about,
            told=f"{size_text(usable)} of {size_text(total)} are left: {usable / total:.1%}",
            remedy=_REMEDY,
        )
