"""`ottla cluster unregister`."""

from __future__ import annotations

from collections.abc import Callable

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import BROKERS
from ottla.cli.confirmation import yes_option
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.typed_texts import INT32


@click.command()
@click.argument("broker", type=INT32, shell_complete=BROKERS)
@yes_option
@cluster_options
def command(broker: int, confirm: Callable[[str], None], cluster: ClusterOptions) -> None:
    """Forget a broker that is gone for good.

    \b
    ottla cluster unregister 3
    """
    confirm(f"Forget broker {broker}?")
    ask(cluster, lambda admin: admin.cluster.unregister_broker(broker))
    print(f"unregistered {broker}")
