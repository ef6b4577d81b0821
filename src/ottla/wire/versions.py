"""Version ranges as the protocol writes them: "0-4", "3+", "7", "none"."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

VERSION_MAX = 32767
"""A version is an int16 on the wire."""


class VersionRange(msgspec.Struct, frozen=True):
    """The versions from `min` to `max`, both included; empty where max < min."""

    min: int
    max: int

    def __contains__(self, version: int) -> bool:
        return self.min <= version <= self.max

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.min, self.max + 1))

    def __bool__(self) -> bool:
        return self.min <= self.max

    def __str__(self) -> str:
        if not self:
            return "none"
        if self.max == VERSION_MAX:
            return f"{self.min}+"
        return str(self.min) if self.min == self.max else f"{self.min}-{self.max}"

    def intersection(self, other: VersionRange) -> VersionRange:
        return VersionRange(max(self.min, other.min), min(self.max, other.max))


NO_VERSIONS = VersionRange(0, -1)
ALL_VERSIONS = VersionRange(0, VERSION_MAX)


def parse_versions(text: str) -> VersionRange:
    """Read what `str(VersionRange)` writes. Raises ValueError for anything else."""
    if text == "none":
        return NO_VERSIONS
    if text.endswith("+"):
        return VersionRange(int(text[:-1]), VERSION_MAX)
    first, dash, last = text.partition("-")
    found = VersionRange(int(first), int(last if dash else first))
    if not found:
        raise ValueError(f"a range that ends before it starts: {text!r}")
    return found
