"""`ottla serve`: the platform on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from ottla.cli.options import BrokerOptions, broker_options


@click.command()
@broker_options
def command(options: BrokerOptions) -> None:
    """Start the platform on this machine; for now that is the broker.

    Listens on localhost:9092 and keeps its data in ./data, unless options or --config say
    otherwise.

    \b
    ottla serve
    ottla serve --listen 0.0.0.0:9092 --data-dir /var/lib/ottla
    ottla serve --http localhost:9644
    """
    if options.config is None:
        options = options._replace(
            data_dir=options.data_dir or Path("data"),
            listen=options.listen or ("localhost:9092",),
        )
    options.run()
