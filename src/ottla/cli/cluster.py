"""Asking a cluster from a command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ottla.client.cluster import Cluster

Answer = TypeVar("Answer")

CLIENT_ID = "ottla-cli"
TIMEOUT_MS = 30_000


def ask(bootstrap: str, question: Callable[[Cluster], Awaitable[Answer]]) -> Answer:
    """Connect, ask, disconnect. Raises UserError where no node can be reached."""
    from ottla.client.cluster import Cluster
    from ottla.client.options import ClusterOptions

    options = ClusterOptions(client_id=CLIENT_ID, request_timeout_ms=TIMEOUT_MS)

    async def main() -> Answer:
        async with Cluster(bootstrap, options) as cluster:
            return await question(cluster)

    return asyncio.run(main())
