"""The regular expressions of ListTransactions (KIP-1152), as far as they cannot hang the broker.

Kafka takes those of RE2, which never tries again. Ours may: so what would let it try very often is
refused, for its form or for the ids that it meets, as what RE2 does not know is.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import (
    TRANSACTIONAL_ID_PATTERN_LENGTH_MAX,
    TRANSACTIONAL_ID_PATTERN_REPEATS_MAX,
    TRANSACTIONAL_ID_PATTERN_STEPS_MAX,
)

_ESCAPED_OR_CLASS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNBOUNDED: Final = re.compile(r"[*+]|\{\d*,\d*\}|\{\d{3,}\}")
_REPEATED_GROUP: Final = re.compile(r"\)(?:[*+]|\{)")
_LOOKS_AROUND: Final = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)")
_BACK_REFERENCE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")


class IdPattern:
    """One expression, for one request: what all its comparisons may cost together is bounded."""

    def __init__(self, text: str) -> None:
        """Raises ProtocolError(INVALID_REGULAR_EXPRESSION)."""
        if len(text) > TRANSACTIONAL_ID_PATTERN_LENGTH_MAX:
            raise _refused(f"it is longer than {TRANSACTIONAL_ID_PATTERN_LENGTH_MAX} characters")
        bare = _ESCAPED_OR_CLASS.sub("x", text)
        if _LOOKS_AROUND.search(bare) or _BACK_REFERENCE.search(text):
            raise _refused("RE2 knows neither references back nor looking around")
        self._repeats = len(_UNBOUNDED.findall(bare))
        if self._repeats > TRANSACTIONAL_ID_PATTERN_REPEATS_MAX:
            raise _refused(f"it repeats more than {TRANSACTIONAL_ID_PATTERN_REPEATS_MAX} times")
        if _REPEATED_GROUP.search(bare):
            raise _refused("a group may not be repeated")
        self._ways = _ways_through(bare)
        self._steps = 0
        try:
            self._expression = re.compile(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise _refused(str(error)) from error

    def matches(self, name: str) -> bool:
        """Whether it is the whole id.

        Raises ProtocolError(INVALID_REGULAR_EXPRESSION) where all together could take too long.
        """
        self._steps += self._ways * (len(name) + 1) ** max(self._repeats, 1)
        if self._steps > TRANSACTIONAL_ID_PATTERN_STEPS_MAX:
            raise _refused("it could take too long for so many ids, or for ids so long")
        return self._expression.fullmatch(name) is not None


def _ways_through(bare: str) -> int:
    """How many ways of the same beginning may be tried where each choice is between a few."""
    ways = 1
    branches = [1]
    for before, char in pairwise("^" + bare):
        if char == "(":
            branches.append(1)
        elif char == "|":
            branches[-1] += 1
        elif char == ")" and len(branches) > 1:
            ways *= branches.pop()
        elif char == "?" and before not in "(*+?}":
            ways *= 2
    return ways * math.prod(branches)


def _refused(reason: str) -> ProtocolError:
    return ProtocolError(
        ErrorCode.INVALID_REGULAR_EXPRESSION, f"the expression cannot be used: {reason}"
    )
