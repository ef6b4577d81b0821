"""`ottla topic describe`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.base.ids import ZERO_UUID, format_uuid
from ottla.cli.cluster import ask
from ottla.cli.completion import TOPICS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, error_name, output_option, refuse

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.configs import Settings
    from ottla.client.admin.outcomes import Outcomes
    from ottla.client.admin.topic_descriptions import PartitionDescription, TopicDescription

COLUMNS = {
    "partition": "partition",
    "leader": "leader",
    "leader_epoch": "epoch",
    "replicas": "replicas",
    "isr": "in sync",
    "offline": "offline",
}
PROBLEMS: dict[str, Callable[[PartitionDescription, int], bool]] = {
    "under-replicated": lambda found, _: len(found.isr) < len(found.replicas),
    "without-leader": lambda found, _: found.leader < 0,
    "at-min-isr": lambda found, least: len(found.isr) == least,
    "under-min-isr": lambda found, least: len(found.isr) < least,
}
"""By name, whether a partition has it, with its topic's min.insync.replicas."""


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]…", shell_complete=TOPICS)
@click.option("--only", type=click.Choice([*PROBLEMS]), help="Partitions with this problem.")
@click.option("--internal", is_flag=True, help="The brokers' own topics, too, without names.")
@cluster_options
@output_option
def command(
    names: tuple[str, ...],
    only: str | None,
    internal: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Show the partitions of topics, who leads them, and what is set on the topic itself.

    Without names, of all topics.

    \b
    ottla topic describe orders
    ottla topic describe orders prices --output yaml
    ottla topic describe --only under-replicated
    """
    described, settings = ask(cluster, lambda admin: _describe(admin, names, internal=internal))
    topics = sorted(described.done.values(), key=lambda topic: topic.name)
    rows = [_row(topic, settings.get(topic.name, {}), only) for topic in topics]
    if only is not None:
        rows = [row for row in rows if row["partitions"]]
    if output.is_for_people:
        for row in rows:
            _print(row)
    else:
        output.show([*rows, *map(_missing_row, described.errors.items())], {})
    refuse(described.errors)


async def _describe(
    admin: Admin, names: tuple[str, ...], *, internal: bool
) -> tuple[Outcomes[str, TopicDescription], dict[str, Settings]]:
    from ottla.client.admin.config_entries import ConfigResource

    if not names:
        names = tuple(topic.name for topic in await admin.topics.list(internal=internal))
    described = await admin.topics.describe(*names)
    settings = await admin.configs.describe(*map(ConfigResource.topic, described.done))
    return described, {resource.name: found for resource, found in settings.done.items()}


def _own(settings: Settings) -> dict[str, str | None]:
    from ottla.client.admin.config_entries import ConfigSource

    return {
        name: entry.value for name, entry in settings.items() if entry.source is ConfigSource.TOPIC
    }


def _missing_row(missing: tuple[str, UserError]) -> dict[str, object]:
    name, error = missing
    return {
        "name": name,
        "topic_id": format_uuid(ZERO_UUID),
        "internal": False,
        "error": error_name(error),
        "configs": {},
        "partitions": [],
    }


def _print(row: dict[str, object]) -> None:
    partitions, configs = row["partitions"], row["configs"]
    assert isinstance(partitions, list)
    assert isinstance(configs, dict)
    own = " ".join(f"{name}={value}" for name, value in configs.items())
    print(f"{row['name']}  id {row['topic_id']}  {own}".rstrip())
    Output().show(partitions, COLUMNS)
    print()


def _row(topic: TopicDescription, settings: Settings, only: str | None) -> dict[str, object]:
    least = settings.get("min.insync.replicas")
    isr_min = int((least.value if least is not None else None) or 1)
    return {
        "name": topic.name,
        "topic_id": format_uuid(topic.topic_id),
        "internal": topic.is_internal,
        "error": "NONE",
        "configs": _own(settings),
        "partitions": [
            {
                "partition": partition.index,
                "leader": partition.leader,
                "leader_epoch": partition.leader_epoch,
                "replicas": partition.replicas,
                "isr": partition.isr,
                "offline": partition.offline,
            }
            for partition in topic.partitions
            if only is None or PROBLEMS[only](partition, isr_min)
        ],
    }
