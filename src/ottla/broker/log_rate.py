"""So many lines of one kind that the log takes a second: a flood must not make everything slow."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Final

SECOND_NS: Final = 1_000_000_000


class LogRate:
    """Counts what was left out, for the next line that may be written to tell of it."""

    __slots__ = ("_left", "_lines_per_second_max", "_second", "_unlogged")

    def __init__(self, lines_per_second_max: int) -> None:
        self._lines_per_second_max = lines_per_second_max
        self._second = -1
        self._left = 0
        self._unlogged = 0

    def admits(self) -> bool:
        """Whether one more line may be written now."""
        second = perf_counter_ns() // SECOND_NS
        if second != self._second:
            self._second = second
            self._left = self._lines_per_second_max
        if not self._left:
            self._unlogged += 1
            return False
        self._left -= 1
        return True

    def unlogged_before(self) -> dict[str, object]:
        """The field of a line that tells how many were left out before it; none where none were."""
        if not self._unlogged:
            return {}
        unlogged, self._unlogged = self._unlogged, 0
        return {"unlogged_before": unlogged}
