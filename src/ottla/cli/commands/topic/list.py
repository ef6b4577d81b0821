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
    from ottla.client.admin_topics import list_topics

    found = sorted(ask(bootstrap, list_topics), key=lambda topic: topic.name)
    shown = [topic for topic in found if internal or not topic.is_internal]
    if as_json:
        print_json(
            {
                "name": topic.name,
                "topic_id": format_uuid(topic.topic_id),
                "partitions": len(topic.partitions),
                "internal": topic.is_internal,
            }
            for topic in shown
        )
        return
    print_table(
        ("topic", "partitions", "replicas"),
        (
            (
                topic.name,
                str(len(topic.partitions)),
                str(max((len(partition.replicas) for partition in topic.partitions), default=0)),
            )
            for topic in shown
        ),
    )
