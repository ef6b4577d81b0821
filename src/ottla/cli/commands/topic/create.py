"""`ottla topic create`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.ids import ZERO_UUID, format_uuid
from ottla.cli.cluster import ask
from ottla.cli.options import bootstrap_option, json_option
from ottla.cli.output import error_name, print_json, reason, refuse

if TYPE_CHECKING:
    from ottla.client.admin.outcomes import Outcomes
    from ottla.client.admin.topics import CreatedTopic


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
    from ottla.client.admin.topics import NewTopic

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
        bootstrap, lambda admin: admin.topics.create(*wanted, validate_only=validate_only)
    )
    if as_json:
        print_json(_as_json(name, outcomes) for name in outcomes)
    else:
        verb = "could create" if validate_only else "created"
        for name in outcomes.done:
            print(f"{verb} {name}")
    refuse(outcomes.errors)


def _as_json(name: str, outcomes: Outcomes[str, CreatedTopic]) -> dict[str, object]:
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


def _split(config: str) -> tuple[str, str]:
    key, equals, value = config.partition("=")
    if not equals:
        raise click.BadParameter(f"takes KEY=VALUE, not {config!r}", param_hint="--config")
    return key.strip(), value.strip()
