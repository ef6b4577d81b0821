"""How fast something goes: one line on standard error that renews itself, and a last one."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO

from ottla.cli.output import size_text

_PERIOD_S: Final = 0.5
_CLEAR: Final = "\r\x1b[K"


def counted(count: int, noun: str) -> str:
    """`1 record`, `2 records`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def count_text(count: float) -> str:
    """Grouped by thousands."""
    return f"{count:,.0f}"


class Rate:
    """Counts; tells about it while it lasts where `live`, and at the end where `at_end`."""

    def __init__(
        self, *, live: bool, at_end: bool, noun: str = "record", stream: TextIO | None = None
    ) -> None:
        self.records = 0
        self.bytes = 0
        self._live = live
        self._at_end = at_end
        self._noun = noun
        self._stream = sys.stderr if stream is None else stream
        self._began_s = time.monotonic()
        self._shown_s = self._began_s
        self._shown_records = 0

    @property
    def elapsed_s(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._began_s

    def add(self, records: int, size: int) -> None:
        """So many more."""
        self.records += records
        self.bytes += size
        if self._live:
            self._renew(time.monotonic())

    def _renew(self, now_s: float) -> None:
        if now_s - self._shown_s < _PERIOD_S:
            return
        per_s = (self.records - self._shown_records) / (now_s - self._shown_s)
        self._shown_s, self._shown_records = now_s, self.records
        self._stream.write(
            f"{_CLEAR}{counted(self.records, self._noun)}, {size_text(self.bytes)}, "
            f"{count_text(per_s)}/s"
        )
        self._stream.flush()

    def end(self) -> None:
        """The last line."""
        if self._live:
            self._stream.write(_CLEAR)
        if self._live or self._at_end:
            seconds = max(self.elapsed_s, 1e-9)
            self._stream.write(
                f"{counted(self.records, self._noun)}, {size_text(self.bytes)} in "
                f"{seconds:.2f} s: {count_text(self.records / seconds)}/s, "
                f"{size_text(round(self.bytes / seconds))}/s\n"
            )
        self._stream.flush()
