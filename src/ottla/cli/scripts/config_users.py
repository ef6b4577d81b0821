"""Quotas and passwords of users, clients and addresses, for `kafka-configs`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ottla.cli.scripts.config_entities import CLIENTS, DEFAULT, IPS, USERS, Entity
from ottla.cli.scripts.java_text import java_double
from ottla.cli.scripts.refusals import CommandRefused
from ottla.client.admin.credentials import (
    ITERATIONS,
    RemovePassword,
    ScramMechanism,
    SetPassword,
)
from ottla.client.admin.quotas import QuotaEntity, Whose
from ottla.security.scram import ITERATIONS_MAX

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin

_QUOTAS: Final = frozenset(
    {"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"}
)
_IP_QUOTAS: Final = frozenset({"connection_creation_rate"})
_FIELDS: Final = {USERS: "user", CLIENTS: "client_id", IPS: "ip"}
_TITLES: Final = {"user": "user-principal", "client_id": "client-id", "ip": "ip"}
_MECHANISMS: Final = {
    "SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256,
    "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512,
}
_PASSWORD: Final = re.compile(r"(?:iterations=(?P<iterations>\d+),)?password=(?P<password>.*)")


# -- describing ----------------------------------------------------------------------------------


async def describe(admin: Admin, entities: Sequence[Entity]) -> None:
    """Print quotas, and of users alone their passwords' mechanisms. Raises UserError."""
    for entity, quotas in (await admin.quotas.describe(strict=True, **_match(entities))).items():
        told = ", ".join(f"{name}={java_double(value)}" for name, value in quotas.items())
        print(f"Quota configs for {_title(entity)} are {told}")
    if [entity.type for entity in entities] == [USERS] and entities[0].name != DEFAULT:
        await _describe_passwords(admin, entities[0].name)


def _match(entities: Sequence[Entity]) -> dict[str, Any]:
    """What `Quotas.describe` takes."""
    others = {None: Whose.ANY, DEFAULT: Whose.DEFAULT}
    return {_FIELDS[each.type]: others.get(each.name, each.name) for each in entities}


def _title(entity: QuotaEntity) -> str:
    parts = {title: getattr(entity, field) for field, title in _TITLES.items()}
    return ", ".join(
        f"the default {title}" if name is Whose.DEFAULT else f"{title} '{name}'"
        for title, name in parts.items()
        if name is not None
    )


async def _describe_passwords(admin: Admin, user: str | None) -> None:
    outcomes = await admin.credentials.describe(*([user] if user else []))
    for name, credentials in outcomes.done.items():
        told = ", ".join(
            f"{each.mechanism.name.replace('_', '-')}=iterations={each.iterations}"
            for each in credentials
        )
        print(f"SCRAM credential configs for user-principal '{name}' are {told}")


# -- changing ------------------------------------------------------------------------------------


async def alter(
    admin: Admin, entities: Sequence[Entity], added: Mapping[str, str], removed: Sequence[str]
) -> None:
    """Raises UserError."""
    names = [*added, *removed]
    kind = entities[0].type
    takes_passwords = [entity.type for entity in entities] == [USERS]
    _check_names(added, "added", kind, takes_passwords=takes_passwords)
    _check_names(removed, "deleted", kind, takes_passwords=takes_passwords)
    if not any(name in _MECHANISMS for name in names):
        await _alter_quotas(admin, entities, added, removed)
        return
    if entities[0].name == DEFAULT:
        raise CommandRefused(
            "The use of --entity-default or --user-defaults is not allowed with User SCRAM "
            "Credentials using --bootstrap-server."
        )
    if any(name in _QUOTAS for name in names):
        raise CommandRefused(
            "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' "
            "using --bootstrap-server."
        )
    user = str(entities[0].name)
    changes: list[SetPassword | RemovePassword] = [
        RemovePassword(user=user, mechanism=_MECHANISMS[name]) for name in removed
    ]
    changes += [_password(user, name, text) for name, text in added.items()]
    (await admin.credentials.alter(*changes)).all()


def _check_names(
    names: Mapping[str, str] | Sequence[str], done: str, kind: str, *, takes_passwords: bool
) -> None:
    if kind == IPS:
        known, what = _IP_QUOTAS, "connection quota configs"
    elif takes_passwords:
        known, what = _QUOTAS | set(_MECHANISMS), "quota and SCRAM credential configs"
    else:
        known, what = _QUOTAS, "quota configs"
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CommandRefused(
            f"Only {what} can be {done} for '{kind}' using --bootstrap-server. "
            f"Unexpected config names: {','.join(unknown)}"
        )


def _password(user: str, name: str, text: str) -> SetPassword:
    found = _PASSWORD.fullmatch(text)
    if found is None:
        raise CommandRefused(f"Invalid credential property {name}={text}")
    iterations = int(found["iterations"] or ITERATIONS)
    if iterations < ITERATIONS:
        raise CommandRefused(
            f"Iterations {iterations} is less than the minimum {ITERATIONS} required for {name}"
        )
    if iterations > ITERATIONS_MAX:  # hashed here, and so before the cluster could refuse them
        raise CommandRefused(
            f"Iterations {iterations} is more than the maximum {ITERATIONS_MAX} of {name}"
        )
    return SetPassword(
        user=user,
        password=found["password"],
        mechanism=_MECHANISMS[name],
        iterations=iterations,
    )


async def _alter_quotas(
    admin: Admin, entities: Sequence[Entity], added: Mapping[str, str], removed: Sequence[str]
) -> None:
    match = _match(entities)
    entity = QuotaEntity(**match)
    old = (await admin.quotas.describe(strict=True, **match)).get(entity, {})
    missing = [name for name in removed if name not in old]
    if missing:
        raise CommandRefused(f"Invalid config(s): {','.join(missing)}")
    changes: dict[str, float | None] = {**dict.fromkeys(removed)}
    for name, text in added.items():
        changes[name] = _rate(name, text)
    (await admin.quotas.alter({entity: changes})).all()


def _rate(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        told = f"Cannot parse quota configuration value for {name}: {text}"
        raise CommandRefused(told) from error
