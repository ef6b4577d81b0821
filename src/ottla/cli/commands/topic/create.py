"""`ottla topic create`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID, format_uuid
from ottla.cli.cluster import ask
from ottla.cli.completion import topic_settings
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, error_name, output_option, reason, refuse
from ottla.cli.passing_over import without
from ottla.cli.typed_texts import INT32, key_values, number_list

if TYPE_CHECKING:
    from ottla.client.admin.outcomes import Outcomes
    from ottla.client.admin.topics import CreatedTopic


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option(
    "--partitions", "-p", type=INT32, default=-1, help="How many; else what the broker is set to."
)
@click.option(
    "--replication-factor",
    "-r",
    type=INT32,
    default=-1,
    help="Replicas; else what the broker is set to.",
)
@click.option(
    "--replicas",
    "placed",
    multiple=True,
    metavar="BROKER,…",
    help="Brokers of one partition, the preferred leader first; once for each, in order.",
)
@click.option(
    "--config",
    "-c",
    "configs",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the topic.",
    shell_complete=topic_settings,
)
@click.option("--if-not-exists", is_flag=True, help="A topic that is there already is fine.")
@click.option("--validate-only", is_flag=True, help="Only say whether it could be created.")
@cluster_options
@output_option
def command(
    names: tuple[str, ...],
    partitions: int,
    replication_factor: int,
    placed: tuple[str, ...],
    configs: tuple[str, ...],
    if_not_exists: bool,
    validate_only: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Create topics.

    \b
    ottla topic create orders --partitions 8
    ottla topic create prices -c cleanup.policy=compact -c segment.ms=3600000
    ottla topic create pinned --replicas 1,2 --replicas 2,3
    """
    from ottla.client.admin.topics import NewTopic

    if placed and (partitions, replication_factor) != (-1, -1):
        raise click.UsageError("--replicas says how many there are: leave the numbers out")
    texts = key_values(configs, "--config")
    assignments = dict(enumerate(number_list(text, "--replicas") for text in placed))
    wanted = [
        NewTopic(
            name=name,
            partitions=partitions,
            replication_factor=replication_factor,
            configs=texts,
            assignments=assignments,
        )
        for name in names
    ]
    outcomes = ask(cluster, lambda admin: admin.topics.create(*wanted, validate_only=validate_only))
    if if_not_exists:
        outcomes = without(outcomes, ErrorCode.TOPIC_ALREADY_EXISTS)
    if output.is_for_people:
        verb = "could create" if validate_only else "created"
        for name in outcomes.done:
            output.say(f"{verb} {name}")
    else:
        output.show((_row(name, outcomes) for name in outcomes), {})
    refuse(outcomes.errors)


def _row(name: str, outcomes: Outcomes[str, CreatedTopic]) -> dict[str, object]:
    made = outcomes.done.get(name)
    error = outcomes.errors.get(name)
    return {
        "name": name,
        "topic_id": format_uuid(ZERO_UUID if made is None else made.topic_id),
        "partitions": -1 if made is None else made.partitions,
        "replication_factor": -1 if made is None else made.replication_factor,
        "error": error_name(error),
        "message": None if error is None else reason(error),
    }
