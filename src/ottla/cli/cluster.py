"""Reaching the cluster that the options name, from a command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from ottla.cli.options import ClusterOptions
    from ottla.client.admin.admin import Admin
    from ottla.client.consumer.consumer import Consumer
    from ottla.client.producer.producer import Producer

Answer = TypeVar("Answer")

CLIENT_ID: Final = "ottla-cli"
TIMEOUT_MS: Final = 30_000


def ask(cluster: ClusterOptions, question: Callable[[Admin], Awaitable[Answer]]) -> Answer:
    """Connect, ask, disconnect. Raises UserError, at once where no node can be reached."""

    async def main() -> Answer:
        async with connected_admin(cluster) as admin:
            return await question(admin)

    return asyncio.run(main())


@asynccontextmanager
async def connected_admin(cluster: ClusterOptions) -> AsyncIterator[Admin]:
    """Administration of a cluster that was reached. Raises UserError where none can be."""
    from ottla.cli.command_config import settings_of
    from ottla.client import options
    from ottla.client.admin.admin import Admin

    settings = {
        "client_id": CLIENT_ID,
        "request_timeout_ms": TIMEOUT_MS,
        "default_api_timeout_ms": TIMEOUT_MS,
        **settings_of(cluster.client, options.ClusterOptions),
    }
    async with Admin(cluster.bootstrap, **settings) as admin:
        await admin.connect()
        yield admin


def consumer(cluster: ClusterOptions, **settings: object) -> Consumer:
    """An asyncio consumer that is not started: `async with` does it.

    `settings` are stronger than the file of --command-config; one that is None was not given.
    Raises UserError for settings that cannot be.
    """
    from ottla.cli.command_config import settings_of
    from ottla.cli.notices import tell_what_clients_log
    from ottla.client import options
    from ottla.client.consumer.consumer import Consumer
    from ottla.client.consumer.options import ConsumerOptions

    tell_what_clients_log()
    own = settings_of(cluster.client, options.ClusterOptions, ConsumerOptions)
    return Consumer(cluster.bootstrap, **{"client_id": CLIENT_ID, **own, **_given(settings)})


def producer(cluster: ClusterOptions, **settings: object) -> Producer:
    """An asyncio producer that is not started; as `consumer`."""
    from ottla.cli.command_config import settings_of
    from ottla.cli.notices import tell_what_clients_log
    from ottla.client import options
    from ottla.client.producer.options import ProducerOptions
    from ottla.client.producer.producer import Producer

    tell_what_clients_log()
    own = settings_of(cluster.client, options.ClusterOptions, ProducerOptions)
    return Producer(cluster.bootstrap, **{"client_id": CLIENT_ID, **own, **_given(settings)})


def _given(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not None}
