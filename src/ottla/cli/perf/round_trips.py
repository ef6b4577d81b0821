"""End to end: one record at a time, from before it is sent until it is read."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.perf.latencies import Latencies
from ottla.cli.perf.values import random_values

if TYPE_CHECKING:
    from ottla.cli.perf.progress import Bounds, Progress
    from ottla.client.consumer.consumer import Consumer
    from ottla.client.producer import Producer

_LOST_S: Final = 30.0


async def round_trips(
    producer: Producer,
    consumer: Consumer,
    place: TopicPartition,
    bounds: Bounds,
    progress: Progress,
    *,
    size_bytes: int,
    pause_s: float,
) -> Latencies:
    """`progress` gets the times until a record is read; what is returned, those until it is
    stored. Raises UserError for a partition that there is not, and a record that does not come."""
    stored_after = Latencies()
    if place.partition >= len(await consumer.partitions_for(place.topic)):
        raise UserError(f"{place.topic} has no partition {place.partition}")
    (padding,) = random_values(1, size_bytes)
    consumer.assign([place])
    consumer.seek_to_end(place)
    await consumer.position(place)
    done = 0
    while bounds.room(done, 1):
        began_s = time.perf_counter()
        sending = asyncio.ensure_future(
            producer.send_and_wait(place.topic, padding, partition=place.partition)
        )
        sending.add_done_callback(lambda _: stored_after.add(time.perf_counter() - began_s))  # noqa: B023 # it is awaited below, before the name means another
        reading = asyncio.ensure_future(_read_one(consumer, place))
        # Of a record that is refused nothing will be read: that is told, not waited for.
        await asyncio.wait((sending, reading), return_when=asyncio.FIRST_EXCEPTION)
        reading.cancel()
        await sending
        progress.add(1, size_bytes, await reading - began_s)
        done += 1
        await asyncio.sleep(pause_s)
    return stored_after


async def _read_one(consumer: Consumer, place: TopicPartition) -> float:
    """When there was one. Others may write there, too: any shows that reading has caught up."""
    if not await consumer.poll(1, timeout_s=_LOST_S):
        raise UserError(f"a record that was sent to {place} was not read within {_LOST_S:g} s")
    return time.perf_counter()
