"""`ottla disk describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.cli.asked_partitions import partitions_of
from ottla.cli.cluster import ask
from ottla.cli.completion import BROKERS, TOPICS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, error_name, output_option, refuse
from ottla.cli.typed_texts import INT32

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ottla.client.admin.admin import Admin
    from ottla.client.admin.log_dirs import LogDir
    from ottla.client.admin.outcomes import Outcomes

DIRECTORIES = {
    "broker": "broker",
    "path": "directory",
    "replicas": "replicas",
    "replicas_bytes": "in replicas",
    "usable_bytes": "free",
    "total_bytes": "of",
    "error": "error",
}
REPLICAS = {
    "broker": "broker",
    "path": "directory",
    "topic": "topic",
    "partition": "partition",
    "size_bytes": "size",
    "lag": "lag",
    "future": "moving here",
}


@click.command()
@click.argument("asked", nargs=-1, metavar="[TOPIC[:PARTITION,…]]…", shell_complete=TOPICS)
@click.option(
    "--broker",
    "brokers",
    multiple=True,
    type=INT32,
    help="Of this broker; more than once.",
    shell_complete=BROKERS,
)
@click.option("--replicas", is_flag=True, help="Each replica, not each directory.")
@cluster_options
@output_option
def command(
    asked: tuple[str, ...],
    brokers: tuple[int, ...],
    replicas: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Show data directories: how full they are, and with which replicas.

    \b
    ottla disk describe
    ottla disk describe orders --replicas
    ottla disk describe --broker 1 --json
    """

    async def describe(admin: Admin) -> Outcomes[int, Mapping[str, LogDir]]:
        partitions = await partitions_of(admin, asked, "TOPIC") if asked else None
        return await admin.log_dirs.describe(brokers or None, partitions=partitions)

    outcomes = ask(cluster, describe)
    directories = [
        (broker, directory)
        for broker, found in sorted(outcomes.done.items())
        for _, directory in sorted(found.items())
    ]
    if replicas:
        rows = [row for each in directories for row in _replica_rows(*each)]
        output.show(rows, REPLICAS)
    else:
        output.show([_directory_row(*each) for each in directories], DIRECTORIES)
    refuse({f"broker {broker}": error for broker, error in outcomes.errors.items()})


def _directory_row(broker: int, directory: LogDir) -> dict[str, object]:
    return {
        "broker": broker,
        "path": directory.path,
        "replicas": len(directory.replicas),
        "replicas_bytes": sum(each.size_bytes for each in directory.replicas.values()),
        "usable_bytes": directory.usable_bytes,
        "total_bytes": directory.total_bytes,
        "cordoned": directory.is_cordoned,
        "error": error_name(directory.error) if directory.error else None,
    }


def _replica_rows(broker: int, directory: LogDir) -> list[dict[str, object]]:
    return [
        {
            "broker": broker,
            "path": directory.path,
            **partition._asdict(),
            "size_bytes": replica.size_bytes,
            "lag": replica.lag,
            "future": replica.is_future,
        }
        for partition, replica in sorted(directory.replicas.items())
    ]
