"""`ottla broker`: one broker in this process."""

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
    """Run a broker until SIGTERM or Ctrl-C.

    The first line on standard output, once clients can connect, is JSON: the event `ready` with
    the address, the node and cluster ids and the milliseconds since the process started. Logs go
    to standard error.

    \b
    ottla broker --data-dir ./data --listen localhost:9092
    ottla broker --listen 0.0.0.0:9092 --advertise broker.example.net:9092
    ottla broker --listen INSIDE://0.0.0.0:9092 --listen OUTSIDE://0.0.0.0:19092 \\
                 --advertise OUTSIDE://localhost:19092
    ottla broker --listen localhost:0 --set num.partitions=8 --config broker.properties
    """
    from ottla.node.broker import run_broker
    from ottla.node.options import broker_texts

    run_broker(
        broker_texts(
            config=config,
            data_dir=data_dir,
            listen=listen,
            advertise=advertise,
            assignments=assignments,
        ),
        log_level=log_level,
    )
