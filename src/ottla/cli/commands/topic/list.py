"""`ottla topic list`."""

from __future__ import annotations

import click

from ottla.base.ids import format_uuid
from ottla.cli.cluster import ask
from ottla.cli.options import bootstrap_option, json_option
from ottla.cli.output import print_json, print_table


@click.command()
@click.option("--internal", is_flag=True, help="Show the brokers' own topics too.")
@bootstrap_option
@json_option
def command(internal: bool, bootstrap: str, as_json: bool) -> None:
    """List topics."""
    shown = ask(bootstrap, lambda admin: admin.topics.list(internal=internal))
    if as_json:
        print_json(
            {
                "name": topic.name,
                "topic_id": format_uuid(topic.topic_id),
                "partitions": topic.partitions,
                "internal": topic.is_internal,
            }
            for topic in shown
        )
        return
    print_table(
        ("topic", "partitions", "replicas"),
        ((topic.name, str(topic.partitions), str(topic.replication_factor)) for topic in shown),
    )
