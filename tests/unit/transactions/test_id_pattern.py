"""Regular expressions of ListTransactions: taken as RE2 takes them, as far as they cannot hang."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import TRANSACTIONAL_ID_PATTERN_LENGTH_MAX
from ottla.transactions.id_pattern import id_pattern


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("pay.*", "payments"),
        ("(?i)PAY.*", "payments"),
        (r"\d+-\w+", "12-a"),
        ("[*+]", "*"),
        (r"a\*b\+c\*d\+", "a*b+c*d+"),
        ("(ab|c)?d", "abd"),
        ("a{2}", "aa"),
        ("[^]]*", "ab"),
    ],
)
def test_ids_are_matched_as_a_whole(pattern: str, name: str) -> None:
    assert id_pattern(pattern).fullmatch(name)
    assert not id_pattern(pattern).fullmatch(name + "]\n")


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "[",
        "(a+)+",
        "(a|a)*b",
        "(a*b*)*c",
        "((a{2,})|b)+",
        "(?:.*a){12}",
        ".*.*.*.*",
        r"(a)\1",
        "(?=a)a",
        "(?<!a)b",
        "a" * (TRANSACTIONAL_ID_PATTERN_LENGTH_MAX + 1),
    ],
)
def test_what_is_none_or_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        id_pattern(pattern)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION
