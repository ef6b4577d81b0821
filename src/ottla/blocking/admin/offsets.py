"""`admin.offsets` for plain calls."""

from __future__ import annotations

from collections.abc import Mapping

from ottla.base.ids import TopicPartition
from ottla.blocking.client import Runner
from ottla.client.admin.offsets import IsolationLevel, ListedOffset, OffsetSpec
from ottla.client.admin.offsets import Offsets as AsyncioOffsets
from ottla.client.admin.outcomes import Outcomes


class Offsets:
    """`admin.offsets`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioOffsets) -> None:
        self._run = run
        self._inner = inner

    def list(
        self,
        partitions: Mapping[TopicPartition, OffsetSpec | int],
        *,
        isolation_level: IsolationLevel = "read_uncommitted",
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, ListedOffset | None]:
        """An offset of each partition: an `OffsetSpec`, or the first record at or after a time.

        None where there is none: nothing was written since that time.
        """
        return self._run(
            lambda: self._inner.list(
                partitions, isolation_level=isolation_level, timeout_s=timeout_s
            )
        )
