"""`ottla scripts list`."""

from __future__ import annotations

import click

from ottla.cli.output import Output, output_option


@click.command()
@output_option
def command(output: Output) -> None:
    """List the tools of Kafka that there are here.

    \b
    ottla scripts list
    ottla scripts list --output json
    """
    from ottla.cli.scripts.running import names

    output.show(({"name": name} for name in names()), {"name": "name"})
