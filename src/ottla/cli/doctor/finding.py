"""What one look has found."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class Level(IntEnum):
    """How bad it is."""

    FINE = 0
    NOTE = 1
    """Worth knowing, or could not be asked."""
    WARNING = 2
    """Will hurt, or hurts a little."""
    PROBLEM = 3
    """Somebody cannot read or write because of it."""


class Finding(Struct, frozen=True, kw_only=True):
    """One sentence, and for what is bad one that says what to do."""

    level: Level
    about: str
    """A broker, a partition, a group: empty for the whole cluster."""
    told: str
    remedy: str = ""
