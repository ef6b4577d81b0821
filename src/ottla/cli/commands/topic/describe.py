"""`ottla topic describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.base.ids import format_uuid
from ottla.cli.cluster import ask
from ottla.cli.options import bootstrap_option, json_option
from ottla.cli.output import print_json, print_table

if TYPE_CHECKING:
    from ottla.client.admin_topics import ConfigEntry, TopicDescription
    from ottla.client.cluster import Cluster

SET_ON_TOPIC = 1
"""The source of a setting that the topic itself has (KIP-226)."""


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@bootstrap_option
@json_option
def command(names: tuple[str, ...], bootstrap: str, as_json: bool) -> None:
    """Show the partitions of topics, who leads them, and what is set on the topic itself."""
    described, configs = ask(bootstrap, lambda cluster: _describe(cluster, names))
    if as_json:
        print_json(_as_json(topic, configs.get(topic.name, [])) for topic in described)
    else:
        for topic in described:
            if not topic.error:
                _print(topic, configs.get(topic.name, []))
    missing = [f"{topic.name}: {topic.error.name}" for topic in described if topic.error]
    if missing:
        raise UserError("; ".join(missing))


async def _describe(
    cluster: Cluster, names: tuple[str, ...]
) -> tuple[list[TopicDescription], dict[str, list[ConfigEntry]]]:
    from ottla.client.admin_topics import describe_topics, topic_configs

    described = await describe_topics(cluster, names)
    known = [topic.name for topic in described if not topic.error]
    return described, await topic_configs(cluster, known) if known else {}


def _own(configs: list[ConfigEntry]) -> dict[str, str | None]:
    return {entry.name: entry.value for entry in configs if entry.source == SET_ON_TOPIC}


def _print(topic: TopicDescription, configs: list[ConfigEntry]) -> None:
    settings = " ".join(f"{name}={value}" for name, value in _own(configs).items())
    print(f"{topic.name}  id {format_uuid(topic.topic_id)}  {settings}".rstrip())
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


def _as_json(topic: TopicDescription, configs: list[ConfigEntry]) -> dict[str, object]:
    return {
        "name": topic.name,
        "topic_id": format_uuid(topic.topic_id),
        "internal": topic.is_internal,
        "error": topic.error.name,
        "configs": _own(configs),
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
