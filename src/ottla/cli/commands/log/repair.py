"""`ottla log repair`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.cli.data_paths import PATHS, Place, format_option, places
from ottla.cli.exit_codes import Exit
from ottla.cli.output import print_table

if TYPE_CHECKING:
    from ottla.base.world import Disk
    from ottla.log.inspection.partition_check import PartitionQuestion
    from ottla.log.inspection.repair import RepairPlan

COLUMNS = ("action", "file", "position", "detail")


@click.command()
@PATHS
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--yes", is_flag=True, help="Cut without asking.")
@click.option(
    "--cut-after-damage",
    is_flag=True,
    help="End a log at damage in its middle, whole batches behind it included.",
)
@format_option
def command(
    paths: tuple[Path, ...], dry_run: bool, yes: bool, cut_after_damage: bool, output: str
) -> None:
    """Mend the files of logs as a start after a crash would, keeping what is cut.

    Cuts torn tails, rebuilds indexes, leader epochs and transaction indexes from the batches, sets
    bad producer snapshots aside, settles interrupted compactions. What is cut or replaced stays
    beside the log as FILE.POSITION.damaged. Refuses while a broker uses the directory. Exit code
    1 where something stays wrong, 3 where --dry-run found something to do.

    \b
    ottla log repair data --dry-run
    ottla log repair data/orders-0 --yes
    """
    from ottla.transport.disk import LocalDisk

    disk = LocalDisk()
    is_whole = True
    for place in places(disk, paths):
        try:
            is_whole &= _repair_place(
                disk, place, dry_run=dry_run, yes=yes, cut=cut_after_damage, output=output
            )
        except OSError as error:
            raise UserError(f"cannot repair {place.located.path}: {error.strerror}") from error
    if not is_whole:
        sys.exit(Exit.FOUND if dry_run else Exit.REFUSED)


def _repair_place(
    disk: Disk, place: Place, *, dry_run: bool, yes: bool, cut: bool, output: str
) -> bool:
    """Whether nothing is wrong afterwards. The directory is held as a broker would hold it."""
    from ottla.quorum.directory_lock import DirectoryLock, is_in_use

    around = place.located.data_directory
    if around is None:
        return _repair_folders(disk, place, dry_run=dry_run, yes=yes, cut=cut, output=output)
    if is_in_use(around):
        raise UserError(f"{around} is in use by a running broker: stop it first")
    if dry_run:
        return _repair_folders(disk, place, dry_run=True, yes=yes, cut=cut, output=output)
    lock = DirectoryLock(around)
    if not lock.try_acquire():
        raise UserError(f"{around} is in use by a running broker: stop it first")
    try:
        return _repair_folders(disk, place, dry_run=False, yes=yes, cut=cut, output=output)
    finally:
        lock.release()


def _repair_folders(
    disk: Disk, place: Place, *, dry_run: bool, yes: bool, cut: bool, output: str
) -> bool:
    from ottla.log.inspection.repair import plan_repair, repair

    is_whole = True
    for folder in _folders(disk, place):
        question = place.question(disk, folder)
        plan = plan_repair(disk, question, cut_after_damage=cut)
        _print_plan(plan, output)
        is_whole &= not plan.left and not (dry_run and plan.steps)
        if dry_run or not plan.steps:
            continue
        if plan.cuts and not yes and not click.confirm(f"Cut {folder}?", err=True):
            is_whole = False
            continue
        repair(disk, question, cut_after_damage=cut)
        is_whole &= _is_mended(disk, question)
    is_whole &= _mend_checkpoints(disk, place, dry_run=dry_run, output=output)
    return is_whole


def _is_mended(disk: Disk, question: PartitionQuestion) -> bool:
    from ottla.log.inspection.partition_check import check_partition

    return not check_partition(disk, question).findings


def _mend_checkpoints(disk: Disk, place: Place, *, dry_run: bool, output: str) -> bool:
    """Offsets behind the ends of logs, once the logs are whole."""
    from ottla.log.inspection.paths import PathKind
    from ottla.log.inspection.repair_checkpoints import mend_checkpoints

    if place.located.kind is not PathKind.DIRECTORY:
        return True
    steps, left = mend_checkpoints(disk, place.located.path, place.topics, dry_run=dry_run)
    for step in steps:
        _print_rows([list(step)], output)
    for finding in left:
        row = ["left", finding.path, finding.position, f"{finding.problem}: {finding.detail}"]
        _print_rows([row], output)
    return not left and not (dry_run and steps)


def _folders(disk: Disk, place: Place) -> list[str]:
    from ottla.log.inspection.paths import PathKind
    from ottla.log.names import folder_partition

    located = place.located
    if located.kind is PathKind.FILE:
        raise UserError(f"{located.path} is one file: give its folder")
    if located.kind is PathKind.PARTITION:
        return [located.path]
    found = disk.list_dir(located.path)
    return [f"{located.path}/{name}" for name in found if folder_partition(name) is not None]


def _print_plan(plan: RepairPlan, output: str) -> None:
    rows: list[list[object]] = [list(step) for step in plan.steps]
    for finding in plan.left:
        detail = f"{finding.problem}: {finding.detail}"
        rows.append(["left", finding.path, finding.position, detail])
    _print_rows(rows, output)


def _print_rows(rows: list[list[object]], output: str) -> None:
    if output == "json":
        for row in rows:
            print(json.dumps(dict(zip(COLUMNS, row, strict=True))))
    elif rows:
        print_table(COLUMNS, ([str(cell) for cell in row] for row in rows))
