"""Quotas of users, clients and addresses: who has which, and changing them (KIP-546).

An entity is whom a quota is for, as its parts: `{"user": "alice", "client-id": None}`, where None
is the default of that part. A mapping of quotas is by name, as `producer_byte_rate`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import QUOTAS_CHANGED_PER_REQUEST_MAX
from ottla.metadata.decision import Decision
from ottla.metadata.image import MetadataImage
from ottla.settings.values import INT_MAX, LONG_MAX
from ottla.wire.payloads.metadata import ClientQuotaRecord, EntityData
from ottla.wire.schema import Payload

USER: Final = "user"
CLIENT_ID: Final = "client-id"
IP: Final = "ip"

Entity = frozenset[tuple[str, str | None]]
"""Parts of whom a quota is for, each a kind and a name."""

PRODUCER_BYTE_RATE: Final = "producer_byte_rate"
CONSUMER_BYTE_RATE: Final = "consumer_byte_rate"
REQUEST_PERCENTAGE: Final = "request_percentage"
CONTROLLER_MUTATION_RATE: Final = "controller_mutation_rate"
CONNECTION_CREATION_RATE: Final = "connection_creation_rate"

_FRACTION_MAX: Final = 1e-6
"""What a whole number may be off by: clients send all values as doubles."""


class _Kind(NamedTuple):
    """The values that a quota takes."""

    largest: float
    whole: bool


_OF_CLIENTS: Final = {
    # As doubles: what clients make of the largest long is greater than that by one.
    PRODUCER_BYTE_RATE: _Kind(float(LONG_MAX), whole=True),
    CONSUMER_BYTE_RATE: _Kind(float(LONG_MAX), whole=True),
    REQUEST_PERCENTAGE: _Kind(math.inf, whole=False),
    CONTROLLER_MUTATION_RATE: _Kind(math.inf, whole=False),
}
_OF_ADDRESSES: Final = {CONNECTION_CREATION_RATE: _Kind(INT_MAX, whole=True)}


class QuotaChange(NamedTuple):
    """One quota of an entity: another value, or None for no quota any more."""

    key: str
    value: float | None


class EntityChange(NamedTuple):
    """What shall become of one entity's quotas."""

    entity: Entity
    changes: Sequence[QuotaChange]


class EntityResult(NamedTuple):
    """What became of it."""

    entity: Entity
    error_code: ErrorCode
    error_message: str | None


class QuotaMatch(NamedTuple):
    """What a filter wants of one part: this name (None for the default), or with `any` whatever."""

    kind: str
    name: str | None
    any: bool


def client_quotas(image: MetadataImage) -> dict[Entity, dict[str, float]]:
    """All quotas that are set."""
    quotas: dict[Entity, dict[str, float]] = {}
    for record in image.kept.values():
        if isinstance(record, ClientQuotaRecord):
            quotas.setdefault(_entity_of(record), {})[record.key] = record.value
    return quotas


def find_client_quotas(
    image: MetadataImage, matches: Sequence[QuotaMatch], *, strict: bool
) -> Iterator[tuple[Entity, Mapping[str, float]]]:
    """The quotas of all entities that fit every match; with `strict` of those that are no more.

    Raises ProtocolError where the matches make no sense together.
    """
    _check_matches(matches)
    for entity, quotas in client_quotas(image).items():
        if strict and len(entity) != len(matches):
            continue
        named = dict(entity)
        if all(
            match.kind in named and (match.any or named[match.kind] == match.name)
            for match in matches
        ):
            yield entity, quotas


def decide_alter_client_quotas(
    image: MetadataImage, changes: Sequence[EntityChange], *, validate_only: bool = False
) -> Decision[list[EntityResult]]:
    """Set and remove quotas; each entity succeeds or fails as a whole.

    Raises ProtocolError(POLICY_VIOLATION) where they are too many for one request.
    """
    _check_count(sum(max(len(change.changes), 1) for change in changes))
    quotas = client_quotas(image)
    named = Counter(change.entity for change in changes)
    records: list[Payload] = []
    results = []
    for entity, wanted in {change.entity: change.changes for change in changes}.items():
        try:
            if named[entity] > 1:
                raise _bad_request(f"{_shown(entity)} is named {named[entity]} times")
            records += _alter_one(entity, wanted, quotas.get(entity, {}))
            results.append(EntityResult(entity, ErrorCode.NONE, None))
        except ProtocolError as error:
            results.append(EntityResult(entity, error.code, error.message))
    return Decision(() if validate_only else tuple(records), results)


def _alter_one(
    entity: Entity, changes: Sequence[QuotaChange], present: Mapping[str, float]
) -> list[Payload]:
    _check_named_once(entity, changes)
    kinds = _kinds_of(entity)
    for change in changes:
        if change.value is not None:
            _check_value(kinds, change.key, change.value)
    return [
        ClientQuotaRecord(
            entity=[
                EntityData(entity_type=kind, entity_name=name)
                for kind, name in sorted(entity, key=lambda part: part[0], reverse=True)
            ],
            key=key,
            value=0.0 if value is None else value,
            remove=value is None,
        )
        for key, value in changes
        if present.get(key) != value
    ]


def _check_count(count: int) -> None:
    if count > QUOTAS_CHANGED_PER_REQUEST_MAX:
        raise ProtocolError(
            ErrorCode.POLICY_VIOLATION,
            f"{count} changes are too many: a request takes {QUOTAS_CHANGED_PER_REQUEST_MAX}",
        )


def _check_named_once(entity: Entity, changes: Sequence[QuotaChange]) -> None:
    times = Counter(change.key for change in changes)
    twice = [key for key, count in times.items() if count > 1]
    if twice:
        raise _bad_request(f"{twice[0]} of {_shown(entity)} is given {times[twice[0]]} times")


def _kinds_of(entity: Entity) -> Mapping[str, _Kind]:
    """The quotas that an entity may have. Raises ProtocolError where there is no such entity."""
    named = dict(entity)
    if not named:
        raise _bad_request("a quota is for a user, a client-id or an ip; none is named")
    for kind, name in named.items():
        if kind not in (USER, CLIENT_ID, IP):
            raise _bad_request(f"quotas are for user, client-id and ip, not for {kind!r}")
        if name == "":
            raise _bad_request(f"the name of a {kind} is empty: for the default leave it out")
    if IP not in named:
        return _OF_CLIENTS
    if len(named) > 1:
        raise _bad_request("a quota of an ip cannot be for a user or client-id, too")
    address = named[IP]
    if address is not None and not is_address(address):
        raise _bad_request(f"{address!r} is no IP address; names are not looked up here")
    return _OF_ADDRESSES


def is_address(text: str) -> bool:
    """Whether it is an address of IPv4 or IPv6."""
    import ipaddress  # milliseconds that only quotas of addresses are worth

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_value(kinds: Mapping[str, _Kind], key: str, value: float) -> None:
    kind = kinds.get(key)
    if kind is None:
        raise _bad_request(f"there is no quota {key!r} here: choose from {', '.join(kinds)}")
    if math.isnan(value) or value <= 0:
        raise _bad_request(f"{key} cannot be {value}: it is greater than 0")
    if value > kind.largest:
        raise _bad_request(f"{key} cannot be {value}: the most is {kind.largest}")
    if kind.whole and math.isfinite(value) and math.fmod(value, 1.0) > _FRACTION_MAX:
        raise _bad_request(f"{key} cannot be {value}: it is a whole number")


def _check_matches(matches: Sequence[QuotaMatch]) -> None:
    kinds = [match.kind for match in matches]
    for kind in kinds:
        if not kind:
            raise _bad_request("a part of the filter does not say what it is about")
        if kinds.count(kind) > 1:
            raise _bad_request(f"the filter names {kind!r} {kinds.count(kind)} times")
        if kind not in (USER, CLIENT_ID, IP):
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_VERSION,
                f"quotas are for user, client-id and ip, not for {kind!r}",
            )
    if IP in kinds and len(kinds) > 1:
        raise _bad_request("nothing is for an ip and a user or client-id at once")


def _entity_of(record: ClientQuotaRecord) -> Entity:
    return frozenset((part.entity_type, part.entity_name) for part in record.entity)


def _shown(entity: Entity) -> str:
    parts = sorted(entity, key=lambda part: part[0], reverse=True)
    return " and ".join(f"{kind} {'(default)' if name is None else name}" for kind, name in parts)


def _bad_request(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_REQUEST, reason)
