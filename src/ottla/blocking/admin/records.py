"""`admin.records` for plain calls."""

from __future__ import annotations

from collections.abc import Mapping

from ottla.base.ids import TopicPartition
from ottla.blocking.client import Runner
from ottla.client.admin.outcomes import Outcomes
from ottla.client.admin.records import Records as AsyncioRecords


class Records:
    """`admin.records`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioRecords) -> None:
        self._run = run
        self._inner = inner

    def delete(
        self, before: Mapping[TopicPartition, int], *, timeout_s: float | None = None
    ) -> Outcomes[TopicPartition, int]:
        """Delete all records before an offset; each partition's first offset is then the result.

        `ALL_RECORDS` deletes what is there. Later ones are refused with OFFSET_OUT_OF_RANGE.
        """
        return self._run(lambda: self._inner.delete(before, timeout_s=timeout_s))
