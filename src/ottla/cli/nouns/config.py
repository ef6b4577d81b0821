"""What has settings, as people name it: `topic orders`, `broker 1`, `broker all`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from ottla.cli import completion

if TYPE_CHECKING:
    from ottla.client.admin.config_entries import ConfigResource, ConfigSource

KINDS: Final = {
    "topic": "TOPIC",
    "broker": "BROKER",
    "broker-logger": "BROKER_LOGGER",
    "group": "GROUP",
    "client-metrics": "CLIENT_METRICS",
}
"""As typed, and by the name in the protocol."""

ALL_BROKERS: Final = "all"
"""In place of a broker's id: what is set for all of them."""

_NAMES: Final = {
    "topic": completion.TOPICS,
    "broker": completion.BROKERS,
    "broker-logger": completion.BROKERS,
    "group": completion.GROUPS,
    "client-metrics": completion.SUBSCRIPTIONS,
}


def _complete_name(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    complete = _NAMES.get(context.params.get("kind") or "")
    return [] if complete is None else complete(context, parameter, begun)


def complete_key(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The settings that the named thing has."""
    kind, name = context.params.get("kind"), context.params.get("name")
    if kind is None or name is None:
        return []

    async def keys(admin: Any) -> list[str]:
        resource = resource_of(kind, name)
        return list((await admin.configs.describe(resource))[resource])

    return completion.names_from(keys)(context, parameter, begun)


def resource_arguments(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take `kind` and `name`."""
    name = click.argument("name", metavar="NAME", shell_complete=_complete_name)
    return click.argument("kind", type=click.Choice([*KINDS]))(name(function))


def resource_of(kind: str, name: str) -> ConfigResource:
    """What was meant. Raises BadParameter for a broker's name that is no number."""
    from ottla.client.admin.config_entries import ConfigResource, ResourceType

    if kind in ("broker", "broker-logger"):
        if name == ALL_BROKERS and kind == "broker":
            return ConfigResource.broker()
        if not name.isdecimal():
            allowed = f"a broker's id, or {ALL_BROKERS}" if kind == "broker" else "a broker's id"
            raise click.BadParameter(f"takes {allowed}, not {name!r}", param_hint="NAME")
    return ConfigResource(ResourceType[KINDS[kind]], name)


def is_partial(resource: ConfigResource) -> bool:
    """Whether brokers tell only what is set: what they leave out may be a setting all the same."""
    kind = resource.type.name
    return kind == "CLIENT_METRICS" or (kind == "BROKER" and not resource.name)


def is_set_by(source: ConfigSource, resource: ConfigResource) -> bool:
    """Whether this very thing has it, so that it can be taken from it."""
    name = resource.type.name
    if name == "BROKER" and not resource.name:
        name = "ALL_BROKERS"
    return source.name == name


def resource_row(resource: ConfigResource) -> dict[str, object]:
    """As `resource_of` takes it."""
    kinds = {wire: kind for kind, wire in KINDS.items()}
    is_all = resource.type.name == "BROKER" and not resource.name
    return {
        "kind": kinds.get(resource.type.name, resource.type.name),
        "name": ALL_BROKERS if is_all else resource.name,
    }


def resource_text(resource: ConfigResource) -> str:
    """For people."""
    row = resource_row(resource)
    return f"{row['kind']} {row['name']}"
