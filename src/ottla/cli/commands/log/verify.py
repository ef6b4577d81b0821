"""`ottla log verify`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.cli.data_paths import PATHS, Place, format_option, places, warn_where_in_use
from ottla.cli.exit_codes import Exit
from ottla.cli.output import print_table

if TYPE_CHECKING:
    from ottla.base.world import Disk
    from ottla.log.inspection.finding import Finding

COLUMNS = ("file", "position", "problem", "detail")


@click.command()
@PATHS
@format_option
def command(paths: tuple[Path, ...], output: str) -> None:
    """Report every inconsistency in a data directory, a partition's folder, or around one file.

    Everything is read: each batch and record, each index entry, the producer snapshots, the leader
    epochs, and the checkpoints, all held against each other. Changes nothing. Exit code 3 where
    something is wrong.

    \b
    ottla log verify data
    ottla log verify data/orders-0 --output json
    """
    from ottla.transport.disk import LocalDisk

    disk = LocalDisk()
    findings: list[Finding] = []
    for place in places(disk, paths):
        warn_where_in_use(place)
        try:
            findings += verify_place(disk, place)
        except OSError as error:
            raise UserError(f"cannot read {place.located.path}: {error.strerror}") from error
    print_findings(findings, output)
    if findings:
        sys.exit(Exit.FOUND)


def verify_place(disk: Disk, place: Place) -> list[Finding]:
    """What is wrong there; of a file, its own findings from the check of its folder."""
    from ottla.log.inspection.directory_check import check_directory
    from ottla.log.inspection.partition_check import check_partition
    from ottla.log.inspection.paths import PathKind

    located = place.located
    if located.kind is PathKind.DIRECTORY:
        return list(check_directory(disk, located.path, place.topics).all_findings())
    if located.kind is PathKind.PARTITION:
        return check_partition(disk, place.question(disk, located.path)).findings
    folder = located.path.rpartition("/")[0]
    if folder == located.data_directory:
        report = check_directory(disk, folder, place.topics)
        return [finding for finding in report.findings if finding.path == located.path]
    report_of_folder = check_partition(disk, place.question(disk, folder))
    return [finding for finding in report_of_folder.findings if finding.path == located.path]


def print_findings(findings: list[Finding], output: str) -> None:
    if output == "json":
        for finding in findings:
            print(json.dumps(dict(zip(COLUMNS, finding, strict=True))))
    elif findings:
        print_table(COLUMNS, ([str(cell) for cell in finding] for finding in findings))
    else:
        print("nothing is wrong")
