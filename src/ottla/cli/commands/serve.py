"""`ottla serve`: the platform on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from ottla.cli.options import broker_options


@click.command()
@broker_options
def command(
    data_dir: Path | None,
    listen: tuple[str, ...],
    advertise: tuple[str, ...],
    assignments: tuple[str, ...],
    config: Path | None,
    log_level: str,
) -> None:
    """Start the platform on this machine; for now that is the broker.

    Listens on localhost:9092 and keeps its data in ./data unless told otherwise.

    \b
    ottla serve
    ottla serve --listen 0.0.0.0:9092 --data-dir /var/lib/ottla
    """
    from ottla.node.broker import run_broker
    from ottla.node.options import broker_texts

    run_broker(
        broker_texts(
            config=config,
            data_dir=data_dir or Path("data"),
            listen=listen or ("localhost:9092",),
            advertise=advertise,
            assignments=assignments,
        ),
        log_level=log_level,
    )
