"""Rebalance listeners, called in the thread whose call made the rebalance happen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.blocking.call import current_call
from ottla.client.consumer.group.listener import RebalanceListener

_log = logging.getLogger(__name__)

_Told = Callable[[Sequence[TopicPartition]], object]


class ListenerInCaller(RebalanceListener):
    """Stands on the loop for a listener of the program's."""

    def __init__(self, listener: RebalanceListener) -> None:
        self._listener = listener

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """See `RebalanceListener`."""
        await _tell(self._listener.on_assigned, partitions)

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """See `RebalanceListener`."""
        await _tell(self._listener.on_revoked, partitions)

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """See `RebalanceListener`."""
        await _tell(self._listener.on_lost, partitions)


async def _tell(told: _Told, partitions: Sequence[TopicPartition]) -> None:
    try:
        call = current_call()
    except LookupError:
        # A consumer that nobody holds any more is closed: there is no thread to be told in.
        _log.info("a rebalance listener is not called: its consumer was forgotten")
        return

    def tell() -> None:
        if told(partitions) is not None:
            raise UserError("a listener of a blocking consumer has plain methods")

    await call.in_caller(tell)
