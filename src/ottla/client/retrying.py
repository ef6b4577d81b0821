"""Trying again until it succeeds, is refused for good, or the time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ottla.client.backoff import Backoff
from ottla.client.errors import DeadlineError, NodeError, RefusedError
from ottla.client.remedies import remedy_of

T = TypeVar("T")


async def retry(
    attempt: Callable[[], Awaitable[T]], *, backoff: Backoff, timeout_s: float, failed: str
) -> T:
    """What `attempt` returns at last.

    It is made again, after a wait, when it raises NodeError or a RefusedError that passes. Raises
    all else that it raises, and DeadlineError after `timeout_s`, which begins with `failed` and
    names the last error.
    """
    last: NodeError | RefusedError | None = None
    try:
        async with asyncio.timeout(timeout_s) as deadline:
            while True:
                try:
                    return await attempt()
                except NodeError as error:
                    last = error
                except RefusedError as error:
                    if not remedy_of(error.code).retriable:
                        raise
                    last = error
                await asyncio.sleep(backoff.next_ms() / 1000)
    except TimeoutError:
        if not deadline.expired():
            raise
        reason = "no answer has come" if last is None else str(last)
        raise DeadlineError(f"{failed} within {timeout_s:g} s: {reason}") from last
