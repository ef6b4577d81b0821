"""The regular expressions of ListTransactions (KIP-1152), as far as they cannot hang the broker.

Kafka takes those of RE2, which never tries again. Ours may: so what would let it try very often is
refused, as what RE2 does not know is.
"""

from __future__ import annotations

import re
from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import (
    TRANSACTIONAL_ID_PATTERN_LENGTH_MAX,
    TRANSACTIONAL_ID_PATTERN_REPEATS_MAX,
)

_ESCAPED_OR_CLASS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNBOUNDED: Final = re.compile(r"[*+]|\{\d*,\d*\}|\{\d{3,}\}")
_REPEATED_GROUP: Final = re.compile(r"\)(?:[*+]|\{)")
_LOOKS_AROUND: Final = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)")
_BACK_REFERENCE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")


def id_pattern(text: str) -> re.Pattern[str]:
    """To be held against whole ids. Raises ProtocolError(INVALID_REGULAR_EXPRESSION)."""
    if len(text) > TRANSACTIONAL_ID_PATTERN_LENGTH_MAX:
        raise _refused(f"it is longer than {TRANSACTIONAL_ID_PATTERN_LENGTH_MAX} characters")
    bare = _ESCAPED_OR_CLASS.sub("x", text)
    if _LOOKS_AROUND.search(bare) or _BACK_REFERENCE.search(text):
        raise _refused("RE2 knows neither references back nor looking around")
    repeats = len(_UNBOUNDED.findall(bare))
    if repeats > TRANSACTIONAL_ID_PATTERN_REPEATS_MAX:
        raise _refused(f"it repeats more than {TRANSACTIONAL_ID_PATTERN_REPEATS_MAX} times")
    if _REPEATED_GROUP.search(bare):
        raise _refused("a group may not be repeated")
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise _refused(str(error)) from error


def _refused(reason: str) -> ProtocolError:
    return ProtocolError(
        ErrorCode.INVALID_REGULAR_EXPRESSION, f"the expression cannot be used: {reason}"
    )
