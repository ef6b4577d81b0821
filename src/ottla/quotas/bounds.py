"""Which quota applies to a client: the first of eight levels that is set (KIP-55).

user and client-id · user and any client-id · user · any user and client-id ·
any user and any client-id · any user · client-id · any client-id
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final, Literal, NamedTuple

from ottla.base.limits import QUOTA_GAUGES_MAX, QUOTA_NAME_LENGTH_MAX


class Part(Enum):
    """A part of an entity that is no name."""

    DEFAULT = "whoever has none of its own"
    UNNAMED = "not looked at"


Name = str | Part


class Entity(NamedTuple):
    """Whom a quota is for."""

    user: Name
    client_id: Name


class Sharers(NamedTuple):
    """Who uses up one quota together; empty parts are not looked at."""

    user: str
    client_id: str


class Bound(NamedTuple):
    """What applies to a client."""

    sharers: Sharers
    per_second: float


DEFAULT: Final[Literal[Part.DEFAULT]] = Part.DEFAULT
UNNAMED: Final[Literal[Part.UNNAMED]] = Part.UNNAMED

UNBOUNDED: Final = math.inf


class Bounds:
    """The quotas of one kind."""

    def __init__(self, quotas: Mapping[Entity, float] | None = None) -> None:
        self._quotas = {
            Entity(_known_by(entity.user), _known_by(entity.client_id)): _bounding(per_second)
            for entity, per_second in (quotas or {}).items()
        }
        self._found: dict[tuple[str, str], Bound | None] = {}

    def __bool__(self) -> bool:
        """Whether anybody has one."""
        return bool(self._quotas)

    def find(self, user: str, client_id: str) -> Bound | None:
        """What applies to a client, or None where nothing does.

        A client without an id shares what its user has.
        """
        if not self._quotas:
            return None
        key = user[:QUOTA_NAME_LENGTH_MAX], client_id[:QUOTA_NAME_LENGTH_MAX]
        if key not in self._found:
            if len(self._found) >= QUOTA_GAUGES_MAX:
                self._found.clear()
            self._found[key] = self._look_up(*key)
        return self._found[key]

    def _look_up(self, user: str, client_id: str) -> Bound | None:
        for entity, sharers in _levels(user, client_id):
            per_second = self._quotas.get(entity)
            if per_second is not None:
                return Bound(sharers, per_second)
        return None


def _known_by(name: Name) -> Name:
    return name if isinstance(name, Part) else name[:QUOTA_NAME_LENGTH_MAX]


def _bounding(per_second: float) -> float:
    """A log of Apache Kafka may have one that is no number: nobody ever waited for that."""
    return UNBOUNDED if math.isnan(per_second) else per_second


def _levels(user: str, client_id: str) -> Iterator[tuple[Entity, Sharers]]:
    both, whole_user = Sharers(user, client_id), Sharers(user, "")
    if client_id:
        yield Entity(user, client_id), both
        yield Entity(user, DEFAULT), both
    yield Entity(user, UNNAMED), whole_user
    if client_id:
        yield Entity(DEFAULT, client_id), both
        yield Entity(DEFAULT, DEFAULT), both
    yield Entity(DEFAULT, UNNAMED), whole_user
    if client_id:
        whole_client = Sharers("", client_id)
        yield Entity(UNNAMED, client_id), whole_client
        yield Entity(UNNAMED, DEFAULT), whole_client
