"""Writes as fast as it goes, or at a rate, and takes the time of each call's rows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ottla.base.errors import UserError
from ottla.cli.perf.values import random_values

if TYPE_CHECKING:
    from ottla.cli.perf.progress import Bounds, Progress
    from ottla.client.producer import BatchDelivery, Producer

ROWS_PER_CALL: Final = 1_000
_CALLS_PER_S: Final = 100
"""With a rate: as many calls a second as make a smooth load."""
_UNDER_WAY_MAX: Final = 1_000


class Load(Struct, frozen=True, kw_only=True):
    """What is sent."""

    topic: str
    size_bytes: int
    rate: float | None
    """Records a second; None for all that goes."""
    keys: bool = False

    @property
    def rows_per_call(self) -> int:
        """At least one."""
        if self.rate is None:
            return ROWS_PER_CALL
        return max(1, min(ROWS_PER_CALL, round(self.rate / _CALLS_PER_S)))


async def produce(producer: Producer, load: Load, bounds: Bounds, progress: Progress) -> None:
    """Send until the bounds are reached, then wait for all outcomes.

    With a rate the time of a row is from when it should have been sent: waiting counts.
    """
    rows = load.rows_per_call
    values = random_values(rows, load.size_bytes)
    keys = [b"%08d" % n for n in range(rows)] if load.keys else None
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    settling: set[asyncio.Task[None]] = set()
    sent = 0
    while count := bounds.room(sent, rows):
        due_s = loop.time()
        if load.rate is not None:
            due_s = began_s + sent / load.rate
            await asyncio.sleep(due_s - loop.time())
        delivery = await producer.send_batch(
            load.topic, values[:count], keys=None if keys is None else keys[:count]
        )
        sent += count
        task = loop.create_task(_settle(delivery, due_s, load.size_bytes, progress))
        settling.add(task)
        task.add_done_callback(settling.discard)
        if len(settling) >= _UNDER_WAY_MAX:
            await asyncio.wait(settling, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
    await producer.flush()
    if settling:
        await asyncio.wait(settling)


async def _settle(
    delivery: BatchDelivery, due_s: float, size_bytes: int, progress: Progress
) -> None:
    try:
        stored = len(await delivery)
    except UserError as error:
        progress.fail(delivery.taken, error)
        return
    seconds = asyncio.get_running_loop().time() - due_s
    progress.add(stored, stored * size_bytes, seconds)
