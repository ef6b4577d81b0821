"""Asking a cluster from a command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ottla.client.cluster import Cluster

Answer = TypeVar("Answer")

CLIENT_ID = "ottla-cli"
TIMEOUT_SECONDS = 30.0


def ask(bootstrap: str, question: Callable[[Cluster], Awaitable[Answer]]) -> Answer:
    """Connect, ask, disconnect. Raises UserError where no node can be reached."""
    from ottla.client.cluster import Cluster, parse_addresses

    async def main() -> Answer:
        addresses = parse_addresses(bootstrap)
        async with Cluster(addresses, client_id=CLIENT_ID, timeout_s=TIMEOUT_SECONDS) as cluster:
            return await question(cluster)

    return asyncio.run(main())
