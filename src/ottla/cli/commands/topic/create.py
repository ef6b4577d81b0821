"""`ottla topic create`."""

from __future__ import annotations

import click

from ottla.base.ids import format_uuid
from ottla.cli.cluster import ask
from ottla.cli.options import bootstrap_option, json_option
from ottla.cli.output import print_json, refuse


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("--partitions", "-p", type=int, default=-1, help="How many; the broker's default.")
@click.option(
    "--replication-factor", "-r", type=int, default=-1, help="Replicas; the broker's default."
)
@click.option(
    "--config", "-c", "configs", multiple=True, metavar="KEY=VALUE", help="A setting of the topic."
)
@click.option("--validate-only", is_flag=True, help="Only say whether it could be created.")
@bootstrap_option
@json_option
def command(
    names: tuple[str, ...],
    partitions: int,
    replication_factor: int,
    configs: tuple[str, ...],
    validate_only: bool,
    bootstrap: str,
    as_json: bool,
) -> None:
    """Create topics.

    \b
    ottla topic create orders --partitions 8
    ottla topic create prices -c cleanup.policy=compact -c segment.ms=3600000
    """
    from ottla.client.admin_topics import NewTopic, create_topics

    texts = dict(_split(config) for config in configs)
    wanted = [
        NewTopic(
            name=name,
            partitions=partitions,
            replication_factor=replication_factor,
            configs=texts,
        )
        for name in names
    ]
    outcomes = ask(
        bootstrap, lambda cluster: create_topics(cluster, wanted, validate_only=validate_only)
    )
    done = [outcome for outcome in outcomes if not outcome.error]
    verb = "could create" if validate_only else "created"
    if as_json:
        print_json(
            {
                "name": outcome.name,
                "topic_id": format_uuid(outcome.topic_id),
                "partitions": outcome.partitions,
                "replication_factor": outcome.replication_factor,
                "error": outcome.error.name,
                "message": outcome.message,
            }
            for outcome in outcomes
        )
    else:
        for outcome in done:
            print(f"{verb} {outcome.name}")
    refuse(outcomes)


def _split(config: str) -> tuple[str, str]:
    key, equals, value = config.partition("=")
    if not equals:
        raise click.BadParameter(f"takes KEY=VALUE, not {config!r}", param_hint="--config")
    return key.strip(), value.strip()
