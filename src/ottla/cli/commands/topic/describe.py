"""`ottla topic describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.base.ids import ZERO_UUID, format_uuid
from ottla.cli.cluster import ask
from ottla.cli.options import bootstrap_option, json_option
from ottla.cli.output import error_name, print_json, print_table, refuse

if TYPE_CHECKING:
    from ottla.client.admin import Admin
    from ottla.client.admin.configs import Settings
    from ottla.client.admin.outcomes import Outcomes
    from ottla.client.admin.topic_descriptions import TopicDescription


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@bootstrap_option
@json_option
def command(names: tuple[str, ...], bootstrap: str, as_json: bool) -> None:
    """Show the partitions of topics, who leads them, and what is set on the topic itself."""
    described, settings = ask(bootstrap, lambda admin: _describe(admin, names))
    topics = sorted(described.done.values(), key=lambda topic: topic.name)
    if as_json:
        known = [_as_json(topic, settings.get(topic.name, {})) for topic in topics]
        print_json([*known, *map(_missing_as_json, described.errors.items())])
    else:
        for topic in topics:
            _print(topic, settings.get(topic.name, {}))
    refuse(described.errors)


async def _describe(
    admin: Admin, names: tuple[str, ...]
) -> tuple[Outcomes[str, TopicDescription], dict[str, Settings]]:
    from ottla.client.admin.config_entries import ConfigResource

    described = await admin.topics.describe(*names)
    settings = await admin.configs.describe(*map(ConfigResource.topic, described.done))
    return described, {resource.name: found for resource, found in settings.done.items()}


def _own(settings: Settings) -> dict[str, str | None]:
    from ottla.client.admin.config_entries import ConfigSource

    return {
        name: entry.value for name, entry in settings.items() if entry.source is ConfigSource.TOPIC
    }


def _missing_as_json(missing: tuple[str, UserError]) -> dict[str, object]:
    name, error = missing
    return {
        "name": name,
        "topic_id": format_uuid(ZERO_UUID),
        "internal": False,
        "error": error_name(error),
        "configs": {},
        "partitions": [],
    }


def _print(topic: TopicDescription, settings: Settings) -> None:
    own = " ".join(f"{name}={value}" for name, value in _own(settings).items())
    print(f"{topic.name}  id {format_uuid(topic.topic_id)}  {own}".rstrip())
    print_table(
        ("partition", "leader", "epoch", "replicas", "in sync", "offline"),
        (
            (
                str(partition.index),
                str(partition.leader),
                str(partition.leader_epoch),
                _nodes(partition.replicas),
                _nodes(partition.isr),
                _nodes(partition.offline),
            )
            for partition in topic.partitions
        ),
    )


def _nodes(nodes: tuple[int, ...]) -> str:
    return ",".join(map(str, nodes)) or "-"


def _as_json(topic: TopicDescription, settings: Settings) -> dict[str, object]:
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
        ],
    }
