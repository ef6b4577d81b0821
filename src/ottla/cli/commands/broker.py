"""`ottla broker`: one broker in this process."""

from __future__ import annotations

import click

from ottla.cli.options import BrokerOptions, broker_options


@click.command()
@broker_options
def command(options: BrokerOptions) -> None:
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
    ottla broker --http :9644 --log-format json
    """
    options.run()
