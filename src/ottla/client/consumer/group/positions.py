"""Where partitions of a group begin: at what it has committed, or where the settings say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from ottla.base.errors import ProtocolError, UserError
from ottla.base.ids import TopicPartition
from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.fetcher import Fetcher
from ottla.client.consumer.group.commits import Commits
from ottla.client.consumer.group.errors import GroupError
from ottla.client.errors import DeadlineError
from ottla.client.offset_and_metadata import OffsetAndMetadata

_log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
"""How long to wait before what was refused is asked for again: the program has been told."""


class Positions:
    """Looks up committed positions of partitions that were assigned, by one task."""

    def __init__(
        self, fetcher: Fetcher, commits: Commits, *, tell: Callable[[Exception], None]
    ) -> None:
        self._fetcher = fetcher
        self._commits = commits
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def look_up(self, partitions: Iterable[AssignedPartition]) -> None:
        """Begin where the group has committed; a jump meanwhile counts more."""
        for partition in partitions:
            partition.awaits_committed = True
        if self._task is None:
            self._task = self._loop.create_task(self._look_up_all())

    def consumed(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """Where the partitions are, as far as that is known: all before was handed out."""
        return {
            place: OffsetAndMetadata(partition.offset, partition.offset_epoch)
            for place, partition in self._fetcher.assigned.items()
            if partition.offset is not None
        }

    def uncommitted(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """Those of them that are not where they were committed last."""
        last = self._commits.last
        return {
            place: position
            for place, position in self.consumed().items()
            if (found := last.get(place)) is None or found.offset != position.offset
        }

    async def stop(self) -> None:
        """Look up nothing more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _waiting(self) -> dict[TopicPartition, AssignedPartition]:
        return {
            place: partition
            for place, partition in self._fetcher.assigned.items()
            if partition.awaits_committed and not partition.is_leaving
        }

    async def _look_up_all(self) -> None:
        try:
            while waiting := self._waiting():
                await self._look_up(waiting)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _look_up(self, waiting: dict[TopicPartition, AssignedPartition]) -> None:
        try:
            found = await self._commits.committed(waiting)
        except DeadlineError as error:
            _log.info("committed positions are not known yet", extra={"reason": str(error)})
        except (UserError, ProtocolError) as error:
            self._tell(
                GroupError(error.code, error.message) if isinstance(error, ProtocolError) else error
            )
            await asyncio.sleep(AGAIN_S)
        else:
            for place, partition in waiting.items():
                if partition.awaits_committed and self._fetcher.assigned.get(place) is partition:
                    self._begin(partition, found[place])
            self._fetcher.wake()

    def _begin(self, partition: AssignedPartition, position: OffsetAndMetadata | None) -> None:
        partition.awaits_committed = False
        if position is None:
            self._commits.last.pop(partition.partition, None)
        else:
            self._commits.last[partition.partition] = position
            partition.seek(position.offset, position.leader_epoch)
