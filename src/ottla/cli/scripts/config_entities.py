"""Whose settings `kafka-configs` shows and changes, read from its options."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from ottla.base.errors import UserError

if TYPE_CHECKING:
    from ottla.cli.scripts.command_line import Options

TOPICS: Final = "topics"
CLIENTS: Final = "clients"
USERS: Final = "users"
BROKERS: Final = "brokers"
LOGGERS: Final = "broker-loggers"
IPS: Final = "ips"
METRICS: Final = "client-metrics"
GROUPS: Final = "groups"

NAMED: Final = {
    "topic": TOPICS,
    "client": CLIENTS,
    "user": USERS,
    "broker": BROKERS,
    "broker-logger": LOGGERS,
    "ip": IPS,
    "client-metrics": METRICS,
    "group": GROUPS,
}
"""Options that name an entity of a type, in the order in which Kafka reads them."""
DEFAULTS: Final = {
    "client-defaults": CLIENTS,
    "user-defaults": USERS,
    "broker-defaults": BROKERS,
    "ip-defaults": IPS,
}
TYPES: Final = (TOPICS, CLIENTS, USERS, BROKERS, IPS, METRICS, GROUPS, LOGGERS)
WITH_DEFAULTS: Final = frozenset({USERS, CLIENTS, BROKERS, IPS})

DEFAULT: Final = ""
"""The name of all that have no setting of their own."""


class Entity(NamedTuple):
    """One type with a name, `DEFAULT`, or None for all of the type."""

    type: str
    name: str | None

    def __str__(self) -> str:
        return f"{self.singular} {self.name}"

    @property
    def singular(self) -> str:
        return self.type[:-1]


def entities_of(options: Options) -> list[Entity]:
    """One, or a user and a client together. Raises UserError for any other combination."""
    types = _types(options)
    names = list(_names(options))
    _check_types(types)
    _check_names(options, types, names)
    padded = [*names, *[None] * (len(types) - len(names))]
    entities = [Entity(kind, name) for kind, name in zip(types, padded, strict=False)]
    for entity in entities:
        _check(entity)
    return entities


def _types(options: Options) -> list[str]:
    by_flag = [kind for name, kind in (NAMED | DEFAULTS).items() if options.has(name)]
    return [*options.texts("entity-type"), *by_flag]


def _names(options: Options) -> Iterator[str]:
    typed = iter(options.texts("entity-name"))
    for name in options.order:
        if name == "entity-name":
            yield next(typed)
        elif name == "entity-default":
            yield DEFAULT
    for name in NAMED:
        if options.has(name):
            yield options.needed_text(name)
    yield from (DEFAULT for name in DEFAULTS if options.has(name))


def _check_types(types: list[str]) -> None:
    twice = sorted({kind for kind in types if types.count(kind) > 1})
    if twice:
        raise UserError(f"Duplicate entity type(s) specified: {','.join(twice)}")
    for kind in types:
        if kind not in TYPES:
            raise UserError(f"Invalid entity type {kind}, it is one of {', '.join(TYPES)}")
    if not types:
        raise UserError("At least one entity type must be specified")
    if len(types) > 1 and set(types) != {USERS, CLIENTS}:
        raise UserError(f"Only '{USERS}' and '{CLIENTS}' entity types may be specified together")


def _check_names(options: Options, types: list[str], names: list[str]) -> None:
    if options.has("alter"):
        if types[0] not in WITH_DEFAULTS:
            if not any(names):
                raise UserError(f"An entity name must be specified with --alter of {types[0]}")
        elif not names:
            raise UserError(
                "An entity-name or default entity must be specified with --alter of "
                "users, clients, brokers or ips"
            )
        elif len(names) != len(types):
            raise UserError("An entity name must be specified for every entity type")
        return
    if types[0] == LOGGERS and not any(names):
        raise UserError(f"An entity name must be specified with --describe of {LOGGERS}")
    if types[0] not in WITH_DEFAULTS and options.has("entity-default"):
        raise UserError(f"--entity-default must not be specified with --describe of {types[0]}")


def _check(entity: Entity) -> None:
    if not entity.name:
        return
    if entity.type in (BROKERS, LOGGERS) and not entity.name.isdecimal():
        raise UserError(
            f"The entity name for {entity.type} must be a valid integer broker id, "
            f"but it is: {entity.name}"
        )
    if entity.type == IPS and not _resolves(entity.name):
        raise UserError(
            "The entity name for ips must be a valid IP or resolvable host, "
            f"but it is: {entity.name}"
        )


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False
