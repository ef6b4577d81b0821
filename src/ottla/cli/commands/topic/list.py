"""`ottla topic list`."""

from __future__ import annotations

from fnmatch import fnmatchcase

import click

from ottla.base.ids import format_uuid
from ottla.cli.cluster import ask
from ottla.cli.completion import TOPICS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

COLUMNS = {"name": "topic", "partitions": "partitions", "replication_factor": "replicas"}


@click.command()
@click.argument("patterns", nargs=-1, metavar="[PATTERN]…", shell_complete=TOPICS)
@click.option("--internal", is_flag=True, help="Show the brokers' own topics too.")
@cluster_options
@output_option
def command(
    patterns: tuple[str, ...], internal: bool, cluster: ClusterOptions, output: Output
) -> None:
    """List topics: all, or those that match a pattern with * and ?.

    \b
    ottla topic list
    ottla topic list 'orders-*'
    ottla topic list --internal --output json
    """
    topics = ask(cluster, lambda admin: admin.topics.list(internal=internal))
    output.show(
        (
            {
                "name": topic.name,
                "topic_id": format_uuid(topic.topic_id),
                "partitions": topic.partitions,
                "replication_factor": topic.replication_factor,
                "internal": topic.is_internal,
            }
            for topic in topics
            if not patterns or any(fnmatchcase(topic.name, pattern) for pattern in patterns)
        ),
        COLUMNS,
    )
