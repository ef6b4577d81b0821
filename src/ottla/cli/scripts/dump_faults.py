"""What is found wrong in the files that `kafka-dump-log` reads: told behind all of them."""

from __future__ import annotations

from typing import Final

GAPS: Final = "Non-consecutive offsets in {}"
MISMATCHES: Final = "Mismatches in :{}"
TIMES: Final = "Found timestamp mismatch in :{}"
DISORDER: Final = "Found out of order timestamp in :{}"


class DumpFaults:
    """By kind and file, in the order in which they were found."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[str]] = {}

    def add(self, kind: str, path: str, line: str) -> None:
        """One more."""
        self._found.setdefault((kind, path), []).append(line)

    def print(self) -> None:
        """Print all, under a line for each kind and file."""
        for kind in (MISMATCHES, TIMES, DISORDER, GAPS):
            for (found, path), lines in self._found.items():
                if found == kind:
                    print(kind.format(path))
                    print("\n".join(f"  {line}" for line in lines))
