"""`ottla user delete`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import USERS
from ottla.cli.confirmation import yes_option
from ottla.cli.nouns.user import MECHANISMS, mechanism_of
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.outcomes import Outcomes


@click.command()
@click.argument("users", nargs=-1, required=True, metavar="USER…", shell_complete=USERS)
@click.option(
    "--mechanism",
    type=click.Choice(MECHANISMS, case_sensitive=False),
    help="Only the password for this one; where left out, for both.",
)
@yes_option
@cluster_options
@output_option
def command(
    users: tuple[str, ...],
    mechanism: str | None,
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Take the passwords of users away.

    \b
    ottla user delete alice
    ottla user delete alice bob --mechanism SCRAM-SHA-256 --yes
    """
    confirm(f"Delete the passwords of {', '.join(users)}?")

    async def delete(admin: Admin) -> Outcomes[str, None]:
        from ottla.client.admin.credentials import RemovePassword
        from ottla.client.admin.outcomes import Outcomes

        if mechanism is not None:
            kind = mechanism_of(mechanism)
            gone = [RemovePassword(user=user, mechanism=kind) for user in users]
            return await admin.credentials.alter(*gone)
        found = await admin.credentials.describe(*users)
        # A broker takes one change of a user at a time.
        kinds = {each.mechanism for has in found.done.values() for each in has}
        done: dict[str, None] = {}
        errors = dict(found.errors)
        for kind in sorted(kinds):
            changes = [
                RemovePassword(user=user, mechanism=kind)
                for user, has in found.done.items()
                if any(each.mechanism is kind for each in has)
            ]
            outcomes = await admin.credentials.alter(*changes)
            done |= outcomes.done
            errors |= outcomes.errors
        return Outcomes({user: None for user in done if user not in errors}, errors)

    output.report(ask(cluster, delete), "deleted", item=lambda user: {"user": user})
