"""`ottla topic delete`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.options import bootstrap_option
from ottla.cli.output import refuse


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@bootstrap_option
def command(names: tuple[str, ...], bootstrap: str) -> None:
    """Delete topics and everything in them.

    \b
    ottla topic delete orders prices
    """
    outcomes = ask(bootstrap, lambda admin: admin.topics.delete(*names))
    for name in outcomes.done:
        print(f"deleted {name}")
    refuse(outcomes.errors)
