"""Topics by a regular expression, as Kafka's tools take it: commas are alternatives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ottla.base.errors import UserError

INTERNAL: Final = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})


def pattern_of(expression: str) -> re.Pattern[str]:
    """What a whole name has to match. Raises UserError for what is no expression."""
    wanted = expression.strip().replace(",", "|").replace(" ", "").strip("\"'")
    try:
        return re.compile(wanted)
    except re.error as error:
        raise UserError(f"{wanted} is an invalid regex.") from error


def chosen(names: Iterable[str], expression: str | None, *, internal: bool = True) -> list[str]:
    """Those that match, all without an expression; sorted. Raises UserError."""
    pattern = pattern_of(".*" if expression is None else expression)
    return sorted(
        name for name in names if pattern.fullmatch(name) and (internal or name not in INTERNAL)
    )
