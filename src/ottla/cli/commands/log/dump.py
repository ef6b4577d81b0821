"""`ottla log dump`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.cli.data_paths import PATHS, format_option, places, warn_where_in_use
from ottla.cli.output import print_table

if TYPE_CHECKING:
    from ottla.base.world import Disk
    from ottla.log.inspection.dump import Item
    from ottla.log.inspection.paths import Located

OFFSET_MAX = 2**63 - 1
ROWS_PER_TABLE = 1000
"""A long file is printed as several tables, so that none has to be held whole."""


@click.command()
@PATHS
@click.option(
    "--records",
    "--print-data-log",
    is_flag=True,
    help="The records, too; those of the cluster's own topics are decoded.",
)
@click.option("--from", "first", type=int, default=0, help="The first offset to show.")
@click.option("--to", "last", type=int, default=OFFSET_MAX, help="The last offset to show.")
@format_option
def command(paths: tuple[Path, ...], records: bool, first: int, last: int, output: str) -> None:
    """Show what is in files of logs: one file, a partition's folder, or a whole data directory.

    Reads segments, indexes, transaction indexes, producer snapshots, leader epochs, offset
    checkpoints, partition.metadata, meta.properties and metadata snapshots. Damaged stretches are
    shown where they lie, and reading goes on behind them.

    \b
    ottla log dump data/orders-0
    ottla log dump data/orders-0/00000000000000000000.log --records --from 100 --to 120
    ottla log dump data/__cluster_metadata-0 --records --output json
    ottla log dump data/__consumer_offsets-0 --print-data-log
    """
    from ottla.log.inspection.dump import Wanted, dump_file
    from ottla.transport.disk import LocalDisk

    disk = LocalDisk()
    wanted = Wanted(records, first, last)
    for place in places(disk, paths):
        warn_where_in_use(place)
        for path in _files(disk, place.located):
            try:
                items = dump_file(disk, path, wanted)
                if items is not None:
                    _print(path, items, output)
                elif path == place.located.path:
                    raise UserError(f"{path} is no file of a log that is known")
            except BrokenPipeError:  # whoever reads has seen enough
                raise
            except OSError as error:
                raise UserError(f"cannot read {path}: {error.strerror}") from error


def _files(disk: Disk, located: Located) -> Iterator[str]:
    from ottla.log.inspection.paths import PathKind
    from ottla.log.names import folder_partition

    if located.kind is PathKind.FILE:
        yield located.path
        return
    for name in disk.list_dir(located.path):
        path = f"{located.path}/{name}"
        if located.kind is PathKind.PARTITION or folder_partition(name) is None:
            if not Path(path).is_dir():
                yield path
            continue
        for inner in disk.list_dir(path):
            yield f"{path}/{inner}"


def _print(path: str, items: Iterator[Item], output: str) -> None:
    if output == "json":
        for item in items:
            print(json.dumps({"file": path, "kind": item.kind, **item.fields}))
        return
    print(path)
    for kind, of_kind in groupby(items, key=lambda item: item.kind):
        while rows := list(islice(of_kind, ROWS_PER_TABLE)):
            print(f"  {kind}")
            columns = list(rows[0].fields)
            print_table(columns, ([_cell(value) for value in row.fields.values()] for row in rows))


def _cell(value: object) -> str:
    from ottla.log.inspection.decoders import shown

    return shown(value)
