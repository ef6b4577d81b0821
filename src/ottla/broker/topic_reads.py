"""What fetches read of which topic; there is one where metrics are served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, Protocol

from ottla.base.limits import METRICS_TOPICS_MAX
from ottla.broker.fetch_sessions import SessionPartition
from ottla.log.segment import LogSlice

Key = str | bytes
"""A topic as the client named it: its name or, where that is empty, its id."""

OTHERS: Final = ""


class TopicTotals(NamedTuple):
    """Of one topic since the start; `topic` is `OTHERS` for those beyond the bound together."""

    topic: Key
    reads: int
    bytes: int


class Read(Protocol):
    """What one look at one partition found: see `fetch.Read`."""

    @property
    def asked(self) -> SessionPartition: ...

    @property
    def slice(self) -> LogSlice | None: ...


class TopicReads:
    """Told once for each fetch that is answered, never for a batch."""

    def __init__(self, *, topics_max: int = METRICS_TOPICS_MAX) -> None:
        self._topics_max = topics_max
        self._totals: dict[Key, list[int]] = {OTHERS: [0, 0]}

    def note(self, reads: Iterable[Read]) -> None:
        """These are sent now."""
        totals = self._totals
        for read in reads:
            found = read.slice
            if found is not None:
                asked = read.asked
                key = asked.topic or asked.topic_id
                counts = totals.get(key)
                if counts is None:
                    counts = self._counts_of_new(key)
                counts[0] += 1
                counts[1] += found.length

    def _counts_of_new(self, key: Key) -> list[int]:
        if len(self._totals) > self._topics_max:
            return self._totals[OTHERS]
        return self._totals.setdefault(key, [0, 0])

    def totals(self) -> Iterator[TopicTotals]:
        for topic, (reads, size) in self._totals.items():
            if reads:
                yield TopicTotals(topic, reads, size)

    def forget(self, topic: Key) -> None:
        """It is deleted: its place is for another."""
        self._totals.pop(topic, None)
