"""Passwords for SASL/SCRAM: how they are typed, and what is asked of a mechanism."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click

from ottla.base.errors import UserError
from ottla.cli.cluster import ask

if TYPE_CHECKING:
    from ottla.cli.options import ClusterOptions
    from ottla.cli.output import Output
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.credentials import ScramMechanism, SetPassword
    from ottla.client.admin.outcomes import Outcomes

MECHANISMS: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512")

mechanism_option = click.option(
    "--mechanism",
    type=click.Choice(MECHANISMS, case_sensitive=False),
    default="SCRAM-SHA-512",
    show_default=True,
    help="For which of the two.",
)


def password_options(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take `password: str`, typed where nobody looks, and `iterations: int`."""

    @wraps(function)
    def command(*, password: str | None, password_stdin: bool, **rest: Any) -> None:
        function(password=password or _read_password(from_stdin=password_stdin), **rest)

    for option in (
        click.option(
            "--iterations",
            type=click.IntRange(4096, 16384),
            default=4096,
            show_default=True,
            help="How often it is hashed.",
        ),
        click.option("--password-stdin", is_flag=True, help="Read it from standard input."),
        click.option(
            "--password", help="It; others on this machine can see it. Asked for where left out."
        ),
    ):
        command = option(command)
    return command


def _read_password(*, from_stdin: bool) -> str:
    """Raises UserError for an empty one, and where there is nobody to ask."""
    password = sys.stdin.readline().rstrip("\r\n") if from_stdin else _ask_password()
    if not password:
        raise UserError("a password is not empty")
    return password


def _ask_password() -> str:
    import warnings
    from getpass import GetPassWarning

    with warnings.catch_warnings():
        # What is typed would be seen; and where nobody types, the warning is all that was told.
        warnings.simplefilter("error", GetPassWarning)
        try:
            return str(
                click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
            )
        except GetPassWarning as error:
            raise UserError(
                "there is no terminal to ask for the password: give it by --password-stdin"
            ) from error


def mechanism_of(typed: str) -> ScramMechanism:
    """As the client names it."""
    from ottla.client.admin.credentials import ScramMechanism

    return ScramMechanism[typed.upper().replace("-", "_")]


async def has_password(admin: Admin, user: str, mechanism: ScramMechanism) -> bool:
    """Whether a user has one for this mechanism. Raises the error of any other refusal."""
    from ottla.base.errors import ErrorCode

    found = await admin.credentials.describe(user)
    error = found.errors.get(user)
    if error is not None:
        if getattr(error, "code", None) is ErrorCode.RESOURCE_NOT_FOUND:
            return False
        raise error
    return any(each.mechanism is mechanism for each in found[user])


def set_password(
    cluster: ClusterOptions,
    output: Output,
    wanted: SetPassword,
    *,
    refuse_where: bool,
    refusal: str,
    done: str,
) -> None:
    """Set it, and say that it is done; refused where the user has one already, or has none."""

    async def change(admin: Admin) -> Outcomes[str, None]:
        if await has_password(admin, wanted.user, wanted.mechanism) is refuse_where:
            raise UserError(refusal)
        return await admin.credentials.alter(wanted)

    output.report(ask(cluster, change), done, item=lambda name: {"user": name})
