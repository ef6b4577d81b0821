"""One `send_batch`: takes rows in their order, as many at a time as there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ottla.base.errors import UserError
from ottla.base.limits import MIB
from ottla.client.producer.accumulator import Accumulator, TopicRecords, too_large
from ottla.client.producer.taken_rows import BatchDelivery, RowsCutOffError
from ottla.wire.records.rows import Rows, measure_rows

TURN_BYTES: Final = 1 * MIB
"""Taken before the loop does other work: about half a millisecond."""

TURN_ROWS_CHECKED: Final = 100_000
"""Looked at before the loop does other work."""

_NO_LIMIT: Final = 2**62


class RowIntake:
    """`go_on` raises where nothing may be taken any more, `wait_for_room` where none comes."""

    def __init__(
        self,
        rows: Rows,
        topic: TopicRecords,
        accumulator: Accumulator,
        *,
        partition: int | None,
        go_on: Callable[[], None],
        wait_for_room: Callable[[], Awaitable[None]],
    ) -> None:
        self._rows = rows
        self._topic = topic
        self._accumulator = accumulator
        self._partition = partition
        self._go_on = go_on
        self._wait_for_room = wait_for_room
        self._delivery = BatchDelivery(topic.name)

    async def take_all(self) -> BatchDelivery:
        """Take every row. Raises before the first: TypeError, ValueError, RecordTooLargeError.

        Raises RowsCutOffError after that. Cancelled, the first so many were taken.
        """
        self._go_on()
        if not len(self._rows):
            return self._delivery
        await self._check()
        # The check lets others run: the producer may be closed by now, and look for no topic.
        self._go_on()
        await self._topic.find_partitions(self._partition)
        try:
            await self._take_by_turns()
        except (UserError, ValueError, TypeError) as error:
            if not self._delivery.taken:
                raise
            raise RowsCutOffError(self._delivery, len(self._rows), error) from error
        return self._delivery

    async def _check(self) -> None:
        """That every row can be written."""
        size_max = self._accumulator.record_bytes_max
        count = len(self._rows)
        for first in range(0, count, TURN_ROWS_CHECKED):
            if first:
                await asyncio.sleep(0)
            end = min(first + TURN_ROWS_CHECKED, count)
            measure = measure_rows(self._rows, first, end, _NO_LIMIT)
            if measure.largest > size_max:
                error = too_large(measure.largest, size_max)
                error.add_note(f"it is row {measure.largest_row}")
                raise error

    async def _take_by_turns(self) -> None:
        while True:
            self._go_on()
            if self._accumulator.bytes_left > 0:
                self._take_turn()
                if self._delivery.taken == len(self._rows):
                    return
                await asyncio.sleep(0)
            else:
                await self._wait_for_room()

    def _take_turn(self) -> None:
        """As many rows as there is room for, or one more."""
        rows, first = self._rows, self._delivery.taken
        room = min(self._accumulator.bytes_left, TURN_BYTES)
        end = measure_rows(rows, first, len(rows), room).end
        if self._partition is None:
            self._topic.place_rows(rows, first, end, self._delivery)
        else:
            self._topic.append_rows(self._partition, rows, None, first, end, self._delivery)
