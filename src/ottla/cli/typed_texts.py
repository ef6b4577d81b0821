"""What people write as arguments: `KEY=VALUE`, `TOPIC:PARTITION`, lists of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import click


class TypedPartitions(NamedTuple):
    """Partitions of a topic as somebody named them; None for all."""

    topic: str
    partitions: tuple[int, ...] | None


def key_values(texts: Iterable[str], option: str) -> dict[str, str]:
    """`KEY=VALUE` of each; a value may hold more `=`. Raises BadParameter."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(f"takes KEY=VALUE, not {text!r}", param_hint=option)
        found[key.strip()] = value.strip()
    return found


def typed_partitions(text: str, option: str) -> TypedPartitions:
    """`orders`, `orders:0` or `orders:0,4-6`. Raises BadParameter."""
    topic, colon, numbers = text.partition(":")
    if not topic:
        raise click.BadParameter(f"takes TOPIC or TOPIC:PARTITION, not {text!r}", param_hint=option)
    return TypedPartitions(topic, number_list(numbers, option) if colon else None)


def number_list(text: str, option: str) -> tuple[int, ...]:
    """`0,4-6` as 0, 4, 5, 6. Raises BadParameter."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise click.BadParameter(f"takes numbers as 0,4-6, not {text!r}", param_hint=option)
        found += range(int(first), int(last or first) + 1)
    return tuple(found)
