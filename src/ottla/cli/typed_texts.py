"""What people write as arguments: `KEY=VALUE`, `TOPIC:PARTITION`, numbers and lists of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from ottla.base.limits import PARTITIONS_NAMED_PER_REQUEST_MAX

if TYPE_CHECKING:
    _Integer = click.ParamType[int]
else:  # older versions of click have no type of what comes out
    _Integer = click.ParamType


class WireInteger(_Integer):
    """The type of an option that goes into a field of so many bits."""

    name = "integer"

    def __init__(self, bits: int, *, least: int | None = None) -> None:
        self.most = 2 ** (bits - 1) - 1
        self.least = -self.most - 1 if least is None else least

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Fails for what is no number, and for one that no message could carry."""
        try:
            number = int(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a valid integer", param, ctx)
        if not self.least <= number <= self.most:
            self.fail(f"{number} is not from {self.least} to {self.most}", param, ctx)
        return number


INT16: Final = WireInteger(16)
INT32: Final = WireInteger(32)
INT64: Final = WireInteger(64)
OFFSET: Final = WireInteger(64, least=0)


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
    """`0,4-6` as 0, 4, 5, 6. Raises BadParameter, for too many and too large ones, too."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise click.BadParameter(f"takes numbers as 0,4-6, not {text!r}", param_hint=option)
        numbers = range(int(first), int(last or first) + 1)
        if numbers.stop > INT32.most + 1 or numbers.stop <= numbers.start:
            raise click.BadParameter(
                f"{part.strip()} is no range up to {INT32.most}", param_hint=option
            )
        if numbers.stop - numbers.start > PARTITIONS_NAMED_PER_REQUEST_MAX - len(found):
            raise click.BadParameter(
                f"{text} are more than {PARTITIONS_NAMED_PER_REQUEST_MAX} numbers",
                param_hint=option,
            )
        found += numbers
    return tuple(found)
