"""Asking a cluster from a command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ottla.client.admin import Admin

Answer = TypeVar("Answer")

CLIENT_ID = "ottla-cli"
TIMEOUT_MS = 30_000


def ask(bootstrap: str, question: Callable[[Admin], Awaitable[Answer]]) -> Answer:
    """Connect, ask, disconnect. Raises UserError, at once where no node can be reached."""
    from ottla.client.admin import Admin

    async def main() -> Answer:
        async with Admin(
            bootstrap,
            client_id=CLIENT_ID,
            request_timeout_ms=TIMEOUT_MS,
            default_api_timeout_ms=TIMEOUT_MS,
        ) as admin:
            await admin.connect()
            return await question(admin)

    return asyncio.run(main())
