"""What a value may be, each check with its own words.

A check answers None for a good value and a `Refusal` for another; it never raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_REPLICA = re.compile(r"[0-9]+:[0-9]+")


class Refusal(NamedTuple):
    """Why a value is refused, and the part of it to show where that is not the whole."""

    reason: str
    shown: str | None = None


def at_least(low: float) -> Callable[[float], Refusal | None]:
    """Numbers from `low` on."""

    def check(value: float) -> Refusal | None:
        return Refusal(f"the least is {low}") if value < low else None

    return check


def between(low: float, high: float) -> Callable[[float], Refusal | None]:
    """Numbers in `[low, high]`."""

    def check(value: float) -> Refusal | None:
        if low <= value <= high:
            return None
        return Refusal(f"it lies between {low} and {high}")

    return check


def between_or(low: int, high: int, special: int) -> Callable[[int], Refusal | None]:
    """Numbers in `[low, high]`, and one more that has a meaning of its own."""

    def check(value: int) -> Refusal | None:
        if low <= value <= high or value == special:
            return None
        return Refusal(f"it lies between {low} and {high}, or is {special}")

    return check


def one_of(*allowed: str) -> Callable[[str], Refusal | None]:
    """One of a few words."""

    def check(value: str) -> Refusal | None:
        return None if value in allowed else Refusal(f"choose from {', '.join(allowed)}")

    return check


def each_one_of(*allowed: str) -> Callable[[tuple[str, ...]], Refusal | None]:
    """A list of a few words."""

    def check(values: tuple[str, ...]) -> Refusal | None:
        for value in values:
            if value not in allowed:
                return Refusal(f"choose from {', '.join(allowed)}", value)
        return None

    return check


def replica_list(values: tuple[str, ...]) -> Refusal | None:
    """A check: `*` for all, or `partition:broker` pairs (KIP-73)."""
    if values == ("*",) or all(_REPLICA.fullmatch(value) for value in values):
        return None
    return Refusal("say * for all replicas, or name each as partition:broker (0:1,1:2)")
