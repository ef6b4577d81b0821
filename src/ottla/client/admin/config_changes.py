"""Changes of settings, one by one or as all the settings that a resource shall have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ottla.client.admin.config_entries import (
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)
from ottla.client.admin.errors import UnsupportedByBrokerError


class Append(NamedTuple):
    """Add to a list what is not in it; several values with commas between them."""

    value: str


class Subtract(NamedTuple):
    """Take out of a list; several values with commas between them."""

    value: str


Change = str | None | Append | Subtract
"""A text sets, None goes back to the default."""

_SET: Final = 0
_DELETE: Final = 1
_APPEND: Final = 2
_SUBTRACT: Final = 3

_OWN_SOURCES: Final = {
    ResourceType.TOPIC: ConfigSource.TOPIC,
    ResourceType.BROKER: ConfigSource.BROKER,
    ResourceType.BROKER_LOGGER: ConfigSource.BROKER_LOGGER,
}
"""Where the values come from that are set on a resource itself."""


def operation_of(change: Change) -> tuple[int, str | None]:
    """The operation by the protocol's numbers, and its value."""
    match change:
        case Append(value):
            return _APPEND, value
        case Subtract(value):
            return _SUBTRACT, value
        case None:
            return _DELETE, None
        case _:
            return _SET, change


def changed_whole(
    resource: ConfigResource, settings: Mapping[str, ConfigEntry], changes: Mapping[str, Change]
) -> dict[str, str | None]:
    """All that shall be set on a resource: what is set on it now, changed.

    Raises UnsupportedByBrokerError where a secret would be lost, which nobody can read.
    """
    source = _own_source(resource)
    own = {name: entry for name, entry in settings.items() if entry.source is source}
    for name, entry in own.items():
        if entry.is_sensitive and name not in changes:
            raise UnsupportedByBrokerError(
                f"this broker can only set all settings of {resource} at once, and {name} is "
                "secret: give its value, too"
            )
    whole: dict[str, str | None] = {name: entry.value for name, entry in own.items()}
    for name, change in changes.items():
        in_force = settings.get(name)
        _apply(whole, name, change, None if in_force is None else in_force.value)
    return whole


def _own_source(resource: ConfigResource) -> ConfigSource:
    if resource.type is ResourceType.BROKER and not resource.name:
        return ConfigSource.ALL_BROKERS
    return _OWN_SOURCES.get(resource.type, ConfigSource.UNKNOWN)


def _apply(whole: dict[str, str | None], name: str, change: Change, in_force: str | None) -> None:
    values = [value for value in (in_force or "").split(",") if value]
    match change:
        case Append(added):
            values += [value for value in added.split(",") if value not in values]
            whole[name] = ",".join(values)
        case Subtract(removed):
            gone = removed.split(",")
            whole[name] = ",".join(value for value in values if value not in gone)
        case None:
            whole.pop(name, None)
        case _:
            whole[name] = change
