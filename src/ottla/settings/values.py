"""Texts to typed values and back, by the kinds of Kafka's configuration.

The accepted spellings are those of Kafka: numbers and booleans may stand between spaces, numbers
may carry a sign, and a list is cut at commas.
"""

from __future__ import annotations

import math
import re
from enum import IntEnum

Value = bool | int | float | str | tuple[str, ...] | None


class SettingKind(IntEnum):
    """The type of a value, by the number that DescribeConfigs answers (KIP-569)."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1

_WHOLE_BITS = {SettingKind.SHORT: 16, SettingKind.INT: 32, SettingKind.LONG: 64}
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?")


def parse_value(kind: SettingKind, text: str) -> Value:
    """The value that a text stands for. ValueError says what would have been right."""
    if kind in _WHOLE_BITS:
        return _parse_whole(kind, text.strip())
    match kind:
        case SettingKind.BOOLEAN:
            return _parse_boolean(text.strip())
        case SettingKind.DOUBLE:
            return _parse_double(text.strip())
        case SettingKind.LIST:
            return _parse_list(text.strip())
        case SettingKind.PASSWORD:
            return text  # spaces may be part of it
        case _:
            return text.strip()


def format_value(value: Value) -> str | None:
    """The text that `parse_value` reads back to the same value; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float):
        return repr(value).replace("e+", "E").replace("e-", "E-")
    return str(value)


def _parse_boolean(text: str) -> bool:
    match text.lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            raise ValueError("say true or false")


def _parse_whole(kind: SettingKind, text: str) -> int:
    bound = 1 << (_WHOLE_BITS[kind] - 1)
    number = int(text) if _WHOLE.fullmatch(text) else bound
    if not -bound <= number < bound:
        raise ValueError(f"it is a whole number from {-bound} to {bound - 1}")
    return number


def _parse_double(text: str) -> float:
    found = _DECIMAL.fullmatch(text)
    number = float(found[1]) if found else math.inf
    if math.isinf(number):
        raise ValueError("it is a decimal number, as 0.5")
    return number


def _parse_list(text: str) -> tuple[str, ...]:
    """The items in their order, each once; a text of nothing is the empty list."""
    if not text:
        return ()
    items = tuple(dict.fromkeys(item.strip() for item in text.split(",")))
    if "" in items:
        raise ValueError("an item between its commas is empty")
    return items
