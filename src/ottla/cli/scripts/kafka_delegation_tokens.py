"""`kafka-delegation-tokens`: creates, renews, expires and describes tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.cli.cluster import ask
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import Kind, Options, ScriptParser
from ottla.cli.scripts.padded import Column, padded

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.tokens import DelegationToken, Principal

_ACTIONS: Final = ("create", "renew", "expire", "describe")
_NEEDED: Final = {
    "create": ("max-life-time-period",),
    "renew": ("hmac", "renew-time-period"),
    "expire": ("hmac", "expiry-time-period"),
    "describe": (),
}
_COLUMNS: Final = (
    *(Column("TOKENID", 15), Column("HMAC", 30), Column("OWNER", 15), Column("REQUESTER", 15)),
    *(Column("RENEWERS", 25), Column("ISSUEDATE", 15), Column("EXPIRYDATE", 15)),
    Column("MAXDATE", 15),
)


def main(arguments: Sequence[str]) -> int:
    """Raises UserError."""
    options = _parser().parse(arguments)
    _check(options)
    action = next(action for action in _ACTIONS if options.has(action))
    ask(cluster_of(options), lambda admin: _DO[action](admin, options))
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser("Creates, renews, expires and describes delegation tokens.")
    parser.value("bootstrap-server", help="REQUIRED: any node.")
    parser.value("command-config", help="REQUIRED: a file with settings of the client.")
    parser.flag("create", help="Make a token.")
    parser.flag("renew", help="Let a token live longer.")
    parser.flag("expire", help="Let a token end.")
    parser.flag("describe", help="Print tokens.")
    parser.value("owner-principal", may_lack=True, help="Whose token, as User:alice.")
    parser.value("renewer-principal", may_lack=True, help="Who else may renew it.")
    parser.value(
        "max-life-time-period",
        kind=Kind.LONG,
        may_lack=True,
        help="Milliseconds that it may live at most; -1 for what the broker is set to.",
    )
    parser.value(
        "renew-time-period",
        kind=Kind.LONG,
        may_lack=True,
        help="Milliseconds that it lives from now on; -1 for what the broker is set to.",
    )
    parser.value(
        "expiry-time-period",
        kind=Kind.LONG,
        may_lack=True,
        help="Milliseconds until it ends; -1 for at once.",
    )
    parser.value("hmac", may_lack=True, help="The secret of the token, in base64.")
    return parser


def _check(options: Options) -> None:
    """Raises UsageError."""
    options.require("bootstrap-server", "command-config")
    if sum(map(options.has, _ACTIONS)) != 1:
        options.refuse(
            "Command must include exactly one action: --create, --renew, --expire or --describe"
        )
    action = next(action for action in _ACTIONS if options.has(action))
    options.require(*_NEEDED[action])


def _principals(options: Options, name: str) -> list[Principal]:
    """Raises UserError."""
    from ottla.client.admin.tokens import Principal

    found = []
    for text in options.texts(name):
        kind, colon, rest = text.strip().partition(":")
        if not (kind and colon and rest):
            raise UserError(f"{text!r} is no principal as User:alice")
        found.append(Principal(kind, rest))
    return found


def _secret(options: Options) -> bytes:
    """Raises UserError."""
    try:
        return base64.b64decode(options.text("hmac") or "", validate=True)
    except binascii.Error as error:
        raise UserError("--hmac takes the secret of a token, in base64") from error


async def _create(admin: Admin, options: Options) -> None:
    owners = _principals(options, "owner-principal")
    renewers = _principals(options, "renewer-principal")
    period_ms = _period_ms(options, "max-life-time-period")
    shown = ", ".join(map(str, renewers))
    print(f"Calling create token operation with renewers :[{shown}] , {_told(options)}")
    token = await admin.tokens.create(
        owner=owners[0] if owners else None, renewers=renewers, max_lifetime_ms=period_ms
    )
    print(f"Created delegation token with tokenId : {token.token_id}")
    _print([token])


def _told(options: Options) -> str:
    period = next(
        name for action in _ACTIONS if options.has(action) for name in _NEEDED[action][-1:]
    )
    return f"{period.replace('expiry', 'expire')} :{_period_ms(options, period)}"


def _period_ms(options: Options, name: str) -> int:
    period_ms = options.integer(name)
    return -1 if period_ms is None else period_ms


async def _renew(admin: Admin, options: Options) -> None:
    print(f"Calling renew token operation with hmac :{options.text('hmac')} , {_told(options)}")
    period_ms = _period_ms(options, "renew-time-period")
    until_ms = await admin.tokens.renew(_secret(options), period_ms=period_ms)
    print(f"Completed renew operation. New expiry date : {_date(until_ms)}")


async def _expire(admin: Admin, options: Options) -> None:
    print(f"Calling expire token operation with hmac :{options.text('hmac')} , {_told(options)}")
    period_ms = _period_ms(options, "expiry-time-period")
    until_ms = await admin.tokens.expire(_secret(options), period_ms=period_ms)
    print(f"Completed expire operation. New expiry date : {_date(until_ms)}")


async def _describe(admin: Admin, options: Options) -> None:
    owners = _principals(options, "owner-principal")
    whose = f"owners: [{', '.join(map(str, owners))}]" if owners else "current user."
    print(f"Calling describe token operation for {whose}")
    tokens = await admin.tokens.describe(owners or None)
    print(f"Total number of tokens : {len(tokens)}")
    _print(tokens)


def _print(tokens: Iterable[DelegationToken]) -> None:
    rows = [
        (
            *(token.token_id, base64.b64encode(token.hmac).decode(), token.owner),
            "" if token.requester is None else token.requester,
            f"[{', '.join(map(str, token.renewers))}]",
            *map(_date, (token.issued_at_ms, token.expires_at_ms, token.expires_at_latest_ms)),
        )
        for token in tokens
    ]
    for line in padded(_COLUMNS, rows):
        print(f"\n{line}")


def _date(time_ms: int) -> str:
    """In this machine's zone."""
    return datetime.fromtimestamp(time_ms / 1000).astimezone().strftime("%Y-%m-%dT%H:%M")


_DO: Final = {"create": _create, "renew": _renew, "expire": _expire, "describe": _describe}
