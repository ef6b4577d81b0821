"""Asks leaders where to begin, and whether their logs still hold what was read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ottla.base.errors import ProtocolError, UserError
from ottla.client.cluster import Cluster
from ottla.client.consumer.offset_requests import (
    EPOCHS_FOR_CONSUMERS_SINCE,
    beginnings,
    epoch_request,
    epochs_of,
    list_offsets_request,
    offsets_of,
)
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.plan import NodePlan, Task
from ottla.client.consumer.verdicts import checked, found
from ottla.wire.messages.list_offsets import ListOffsetsResponse
from ottla.wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
)

_log = logging.getLogger(__name__)


class Lookups:
    """One request for all partitions of a leader that need the same. Asks by tasks of `start`."""

    def __init__(
        self,
        cluster: Cluster,
        options: ConsumerOptions,
        *,
        start: Callable[[Coroutine[Any, Any, None]], None],
        stale: Callable[[str], None],
        now_ms: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._options = options
        self._start = start
        self._stale = stale
        self._now_ms = now_ms

    def ask(self, node_id: int, wanted: NodePlan) -> None:
        """Begin what is wanted of a leader."""
        for tasks, question in ((wanted.offsets, self._offsets), (wanted.checks, self._epochs)):
            if tasks:
                for task in tasks:
                    task.partition.asking = True
                self._start(self._asked(node_id, tasks, question))

    async def _asked(
        self,
        node_id: int,
        tasks: Sequence[Task],
        question: Callable[[int, Sequence[Task]], Coroutine[Any, Any, None]],
    ) -> None:
        try:
            await question(node_id, tasks)
        except (UserError, ProtocolError) as error:
            _log.info("a lookup has failed", extra={"node": node_id, "reason": str(error)})
            for task in tasks:
                self._stale(task.partition.partition.topic)
        finally:
            for task in tasks:
                if task.is_current and task.partition.asking:
                    # Nothing was said about it.
                    task.partition.asking = False
                    task.partition.retry_later(self._now_ms())

    async def _offsets(self, node_id: int, tasks: Sequence[Task]) -> None:
        connection = await self._cluster.connection(node_id)
        tasks = [task for task in tasks if task.is_current]
        timeout_ms = self._cluster.options.request_timeout_ms
        request = list_offsets_request(beginnings(tasks), self._options, timeout_ms=timeout_ms)
        answers = offsets_of(await connection.call(request, ListOffsetsResponse))
        for task in tasks:
            answer = answers.get(task.partition.partition)
            if answer is not None and found(task, answer, self._now_ms()):
                self._stale(task.partition.partition.topic)

    async def _epochs(self, node_id: int, tasks: Sequence[Task]) -> None:
        connection = await self._cluster.connection(node_id)
        tasks = [task for task in tasks if task.is_current]
        request = OffsetForLeaderEpochRequest
        if (
            not connection.speaks(request)
            or connection.version_of(request) < EPOCHS_FOR_CONSUMERS_SINCE
        ):
            for task in tasks:
                task.partition.checked(task.stamp)
            return
        response = await connection.call(epoch_request(tasks), OffsetForLeaderEpochResponse)
        answers = epochs_of(response)
        for task in tasks:
            answer = answers.get(task.partition.partition)
            if answer is not None and checked(task, answer, self._options, self._now_ms()):
                self._stale(task.partition.partition.topic)
