"""What a shell offers when somebody presses Tab: names that the cluster knows.

Asked with a short patience, and silent about whatever goes wrong: a person is typing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from ottla.cli.options import ClusterOptions
    from ottla.client.admin.admin import Admin

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
Names = Callable[["Admin"], Awaitable[Iterable[str]]]

PATIENCE_S: Final = 1.5


def names_from(question: Names) -> Complete:
    """As `shell_complete` of an option or argument: what the cluster answers."""

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
        return sorted(name for name in _ask(context, question) if name.startswith(begun))

    return complete


def _ask(context: click.Context, question: Names) -> Iterable[str]:
    import asyncio

    from ottla.base.errors import ProtocolError, UserError
    from ottla.cli import options
    from ottla.cli.cluster import connected_admin

    async def patiently(cluster: ClusterOptions) -> Iterable[str]:
        async with asyncio.timeout(PATIENCE_S), connected_admin(cluster) as admin:
            return await question(admin)

    typed = context.params
    try:
        cluster = options.cluster_of(typed.get("bootstrap"), typed.get("command_config"))
        return asyncio.run(patiently(cluster))
    except (UserError, ProtocolError, OSError):
        return ()


async def _topics(admin: Admin) -> Iterable[str]:
    return [topic.name for topic in await admin.topics.list(internal=True)]


async def _groups(admin: Admin) -> Iterable[str]:
    return [group.group_id for group in await admin.groups.list()]


async def _transactional_ids(admin: Admin) -> Iterable[str]:
    return [each.transactional_id for each in await admin.transactions.list()]


async def _brokers(admin: Admin) -> Iterable[str]:
    described = await admin.cluster.describe()
    return [str(each.node.node_id) for each in described.nodes]


async def _users(admin: Admin) -> Iterable[str]:
    return (await admin.credentials.describe()).done


async def _subscriptions(admin: Admin) -> Iterable[str]:
    return await admin.client_metrics.list()


TOPICS: Final = names_from(_topics)
GROUPS: Final = names_from(_groups)
TRANSACTIONAL_IDS: Final = names_from(_transactional_ids)
BROKERS: Final = names_from(_brokers)
USERS: Final = names_from(_users)
SUBSCRIPTIONS: Final = names_from(_subscriptions)


def topic_settings(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """`KEY=` of a topic that is not there yet: nobody has to be asked for these names."""
    from ottla.settings.topic import SETTINGS

    names = sorted(setting.name for setting in SETTINGS)
    return [f"{name}=" for name in names if name.startswith(begun)]
