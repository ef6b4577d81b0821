"""Sends rows through a blocking producer, and knows what became of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.cli.asked_partitions import check_there
from ottla.cli.rate import Rate
from ottla.cli.records.typed_rows import Rows

if TYPE_CHECKING:
    from ottla.blocking.delivery import BatchDelivery
    from ottla.blocking.producer import Producer
    from ottla.client.producer import StoredRows

_UNDER_WAY_MAX: Final = 64
"""Calls whose outcome was not looked at: the producer's own buffer bounds their bytes."""


class Sending:
    """`send` rows, then `end`. `stored` is told of each call, in their order.

    `count` is how many partitions the topic has, where that is known: others are refused at once,
    which a producer waits for, as somebody may be making them.
    """

    def __init__(
        self,
        producer: Producer,
        topic: str,
        *,
        rate: Rate,
        count: int | None = None,
        stored: Callable[[StoredRows], None] | None = None,
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._rate = rate
        self._count = count
        self._stored = stored
        self._under_way: deque[tuple[BatchDelivery, int]] = deque()

    def send(self, rows: Rows) -> None:
        """Raises UserError where these cannot be taken, or some before them were not stored."""
        if not rows.values:
            return
        if self._count is not None and rows.partition is not None:
            self._check_there(rows.partition, self._count)
        try:
            delivery = self._producer.send_batch(
                self._topic,
                rows.values,
                keys=rows.keys,
                timestamps=rows.timestamps,
                headers=rows.headers,
                partition=rows.partition,
            )
        except (ValueError, TypeError) as error:
            raise UserError(str(error)) from error
        self._under_way.append((delivery, rows.size))
        while self._under_way and (
            self._under_way[0][0].done() or len(self._under_way) > _UNDER_WAY_MAX
        ):
            self._settle()

    def _check_there(self, partition: int, count: int) -> None:
        if partition >= count:
            check_there(self._topic, [partition], range(count))

    def _settle(self) -> None:
        delivery, size = self._under_way.popleft()
        stored = delivery.result()
        self._rate.add(len(stored), size)
        if self._stored is not None:
            self._stored(stored)

    def end(self) -> None:
        """Wait for all. Raises UserError where some were not stored."""
        if self._under_way:
            self._producer.flush()
        while self._under_way:
            self._settle()
