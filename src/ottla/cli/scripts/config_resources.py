"""Settings of topics, brokers, their loggers, groups and client metrics, for `kafka-configs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.scripts.config_entities import (
    BROKERS,
    DEFAULT,
    GROUPS,
    LOGGERS,
    METRICS,
    TOPICS,
    Entity,
)
from ottla.cli.scripts.refusals import CommandRefused
from ottla.client.admin.config_entries import ConfigResource, ConfigSource, ResourceType

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.config_changes import Change
    from ottla.client.admin.config_entries import ConfigEntry

_TYPES: Final = {
    TOPICS: ResourceType.TOPIC,
    BROKERS: ResourceType.BROKER,
    LOGGERS: ResourceType.BROKER_LOGGER,
    METRICS: ResourceType.CLIENT_METRICS,
    GROUPS: ResourceType.GROUP,
}
_SOURCES: Final = {
    ConfigSource.TOPIC: "DYNAMIC_TOPIC_CONFIG",
    ConfigSource.BROKER: "DYNAMIC_BROKER_CONFIG",
    ConfigSource.ALL_BROKERS: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    ConfigSource.STATIC_BROKER: "STATIC_BROKER_CONFIG",
    ConfigSource.DEFAULT: "DEFAULT_CONFIG",
    ConfigSource.BROKER_LOGGER: "DYNAMIC_BROKER_LOGGER_CONFIG",
    ConfigSource.CLIENT_METRICS: "DYNAMIC_CLIENT_METRICS_CONFIG",
    ConfigSource.GROUP: "DYNAMIC_GROUP_CONFIG",
    ConfigSource.UNKNOWN: "UNKNOWN",
}
_OWN: Final = {
    TOPICS: ConfigSource.TOPIC,
    BROKERS: ConfigSource.BROKER,
    METRICS: ConfigSource.CLIENT_METRICS,
    GROUPS: ConfigSource.GROUP,
}
"""Where a value comes from that is set on the entity itself."""


async def describe(admin: Admin, entity: Entity, *, all_: bool) -> None:
    """Print what is set, or with `all_` what is in force. Raises UserError."""
    if entity.name is None:
        names = await _names(admin, entity.type)
    elif entity.name and not all_ and not await _is_there(admin, entity):
        told = f"The {entity.singular} '{entity.name}' doesn't exist"
        print(f"{told} and doesn't have dynamic config.")
        return
    else:
        names = [entity.name]
    for name in names:
        one = Entity(entity.type, name)
        if name == DEFAULT:
            print(f"Default configs for {entity.type} in the cluster are:")
        else:
            print(f"{'All' if all_ else 'Dynamic'} configs for {one} are:")
        for entry in await _entries(admin, one, all_=all_):
            print(_line(entry))


def _line(entry: ConfigEntry) -> str:
    synonyms = ", ".join(
        f"{_SOURCES[each.source]}:{each.name}={_shown(each.value)}" for each in entry.synonyms
    )
    sensitive = str(entry.is_sensitive).lower()
    return f"  {entry.name}={_shown(entry.value)} sensitive={sensitive} synonyms={{{synonyms}}}"


def _shown(value: str | None) -> str:
    return "null" if value is None else value


async def _entries(admin: Admin, entity: Entity, *, all_: bool) -> list[ConfigEntry]:
    resource = _resource(entity)
    told = (await admin.configs.describe(resource, synonyms=True))[resource]
    entries = sorted(told.values(), key=lambda entry: entry.name)
    if all_ or entity.type == LOGGERS:
        return entries
    own = ConfigSource.ALL_BROKERS if entity == (BROKERS, DEFAULT) else _OWN[entity.type]
    return [entry for entry in entries if entry.source is own]


def _resource(entity: Entity) -> ConfigResource:
    assert entity.name is not None
    return ConfigResource(_TYPES[entity.type], entity.name)


async def _names(admin: Admin, kind: str) -> list[str]:
    """All of a type, for brokers with the default after them."""
    if kind == TOPICS:
        return [topic.name for topic in await admin.topics.list(internal=True)]
    if kind == BROKERS:
        return [*await _brokers(admin), DEFAULT]
    resources = await admin.configs.list_resources(_TYPES[kind])
    names = {resource.name for resource in resources}
    if kind == GROUPS:
        names |= {group.group_id for group in await admin.groups.list()}
    return sorted(names)


async def _brokers(admin: Admin) -> list[str]:
    nodes = (await admin.cluster.describe()).nodes
    return [str(each.node.node_id) for each in nodes]


async def _is_there(admin: Admin, entity: Entity) -> bool:
    """Whether it exists, or something is set of it all the same."""
    if entity.type == LOGGERS:
        return entity.name in await _brokers(admin)
    if entity.name in await _names(admin, entity.type):
        return True
    resources = await admin.configs.list_resources(_TYPES[entity.type])
    return _resource(entity) in resources


async def alter(
    admin: Admin, entity: Entity, added: Mapping[str, str], removed: Sequence[str]
) -> None:
    """Raises UserError."""
    if entity.type == LOGGERS:
        await _check_loggers(admin, entity, [*removed, *added])
    changes: dict[str, Change] = {**dict.fromkeys(removed), **added}
    (await admin.configs.alter({_resource(entity): changes})).all()


async def _check_loggers(admin: Admin, entity: Entity, names: Iterable[str]) -> None:
    known = {entry.name for entry in await _entries(admin, entity, all_=True)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CommandRefused(f"Invalid broker logger(s): {','.join(unknown)}")
