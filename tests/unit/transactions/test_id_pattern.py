"""Regular expressions of ListTransactions: taken as RE2 takes them, as far as they cannot hang."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import TRANSACTIONAL_ID_PATTERN_LENGTH_MAX
from ottla.transactions.id_pattern import IdPattern


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
    assert IdPattern(pattern).matches(name)
    assert not IdPattern(pattern).matches(name + "]\n")


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
        IdPattern(pattern)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("a*a*a*b", "a" * 2000),
        (".*x.*", "a" * 32_000),
        ("a?" * 40 + "a" * 40, "a" * 40),
        ("(a|a)" * 40 + "b", "a" * 40),
        ("(a|a|aa)?" * 20 + "b", "a" * 40),
    ],
)
def test_what_could_take_for_ever_with_an_id_is_refused(pattern: str, name: str) -> None:
    expression = IdPattern(pattern)
    with pytest.raises(ProtocolError) as refused:
        expression.matches(name)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


def test_expressions_as_people_write_them_meet_many_ids() -> None:
    for pattern in ("payments-.*", "(a|b|c|d)-[0-9]+", ".*-payments-.*", "pay(ment)?s?-1"):
        expression = IdPattern(pattern)
        assert not any(expression.matches(f"shop-orders-{number}") for number in range(10_000))
