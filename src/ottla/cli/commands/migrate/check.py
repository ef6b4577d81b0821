"""`ottla migrate check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ottla.base.errors import UserError
from ottla.cli.data_paths import format_option
from ottla.cli.exit_codes import Exit
from ottla.cli.output import print_table

COLUMNS = ("fate", "subject", "detail")


@click.command()
@click.argument(
    "directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@format_option
def command(directory: Path, output: str) -> None:
    """Say what of a Kafka data directory will carry over, before anything is moved.

    DIR is the log.dirs folder of a single-node Apache Kafka 4 in KRaft mode that has stopped.
    Changes nothing. Exit code 0 where `ottla serve --data-dir DIR` can go on with it, 3 where
    something blocks.

    \b
    ottla migrate check /var/lib/kafka
    ottla migrate check /var/lib/kafka --output json
    """
    from ottla.node.moving_in import Fate, check_moving_in
    from ottla.quorum.directory_lock import is_in_use
    from ottla.transport.disk import LocalDisk

    path = str(directory.absolute())
    try:
        items = check_moving_in(LocalDisk(), path, in_use=is_in_use(path))
    except OSError as error:
        raise UserError(f"cannot read {directory}: {error.strerror}") from error
    if output == "json":
        for item in items:
            print(json.dumps(dict(zip(COLUMNS, item, strict=True))))
    else:
        print_table(COLUMNS, ([str(cell) for cell in item] for item in items))
    if any(item.fate is Fate.BLOCKS for item in items):
        sys.exit(Exit.FOUND)
