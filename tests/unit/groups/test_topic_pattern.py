"""Expressions of RE2 over topic names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.groups.topic_pattern import TopicPattern
from ottla.groups.topics_view import TopicFacts, TopicsView

NAMES = ["a", "b", "ab", "aab", "abab", "A", "a.b", "a-b", "a_b", "1", "a1", "orders", "Orders-7"]


def matching(text: str, names: list[str] | None = None) -> set[str]:
    return set(TopicPattern(text).matching(NAMES if names is None else names))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", {"a"}),
        ("^a$", {"a"}),
        ("a|b", {"a", "b"}),
        ("(a|b)*", {"a", "b", "ab", "aab", "abab"}),
        ("a+b", {"ab", "aab"}),
        ("a{2}b", {"aab"}),
        ("(ab){2,}", {"abab"}),
        ("a{0,1}b", {"b", "ab"}),
        ("a.b", {"aab", "a.b", "a-b", "a_b"}),
        (r"a\.b", {"a.b"}),
        (r"\Qa.b\E", {"a.b"}),
        (r"\Qa.b", {"a.b"}),
        ("(?i)a", {"a", "A"}),
        ("(?i:O)rders", {"orders"}),
        ("(?i)orders(?-i)-7", {"Orders-7"}),
        (r"\w\d", {"a1"}),
        (r"[[:alpha:]][^\w]b", {"a.b", "a-b"}),
        (r"[[:^alpha:]]", {"1"}),
        (r"\pL", {"a", "b", "A"}),
        (r"\p{Lu}\P{Lu}+", {"Orders-7"}),
        (r"\p{Greek}", set()),
        (r"a\bb", set()),
        (r"a\b\.\bb", {"a.b"}),
        (r"a\Bb", {"ab"}),
        (r"\x61", {"a"}),
        (r"\x{61}\142", {"ab"}),
        ("(?P<name>a)(?<other>b)", {"ab"}),
        ("a{,2}", set()),
        ("[a-]b", {"ab"}),
        ("[]a]", {"a"}),
        ("[^]a-zA-Z]", {"1"}),
        ("(?:a*?)+?b", {"b", "ab", "aab"}),
        ("(|a)b", {"b", "ab"}),
        ("", set()),
    ],
)
def test_an_expression_stands_for_whole_names(text: str, names: set[str]) -> None:
    assert matching(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "(a", "a)", "[a", "*a", "a|*", "a**", "a+?+", "(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b",
        r"(a)\1", r"\Z", r"\C", "a\\", "[z-a]", "[[:letters:]]", r"\p{Klingon}", "a{1001}",
        "a{2,1}", r"\x{110000}", r"\xg0", "(?z)", "(?P=name)", "(?P<a-b>c)", "(?-)a", r"\8",
        "((((a{100}){100}){100}))", "(" * 60 + ")" * 60, "a" * 5000,
    ],
)  # fmt: skip
def test_what_re2_does_not_know_or_would_take_too_much_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        TopicPattern(text)
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


def test_an_expression_that_makes_others_hang_takes_no_time() -> None:
    names = ["a" * 200 + "b"]
    assert matching("(a*)*", names) == set()
    assert matching("(a|aa)+", names) == set()
    assert matching("(a|a)*b", names) == set(names)


def test_one_with_endless_states_is_refused_before_it_takes_long() -> None:
    names = [format(number, "0240b") for number in range(1, 20_000, 7)]
    with pytest.raises(ProtocolError) as refused:
        matching("(0|1)*1(0|1){600}", [name.replace("0", "0" * 1) for name in names] * 4)
    assert "costly" in refused.value.message


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Expressions that mean the same to RE2 and to Python."""
    atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\b", "^", "$", r"\.", "-"])
    return draw(
        st.recursive(
            atoms,
            lambda inner: st.one_of(
                st.lists(inner, max_size=4).map("".join),
                st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
                inner.map(lambda one: f"(?:{one})*"),
                inner.map(lambda one: f"(?:{one}){{1,2}}"),
                inner.map(lambda one: f"({one})?"),
            ),
            max_leaves=8,
        )
    )


@given(text=expressions(), names=st.lists(st.text("ab.-", min_size=1, max_size=5)))
def test_it_agrees_with_pythons_own_engine(text: str, names: list[str]) -> None:
    expected = {name for name in names if re.fullmatch(text, name)}
    assert matching(text, names) == expected


@pytest.mark.parametrize(
    "text",
    [
        "(" * 9 + "a{0}" + "){1000}" * 9,
        "(" * 9 + "()" + "){1000}" * 9,
        "(" * 9 + "\\Q\\E" + "){9}" * 9,
    ],
)
def test_nothing_that_is_repeated_endlessly_is_built_at_once(text: str) -> None:
    assert matching(text, ["", "a"]) == {""}


def test_an_expression_that_was_too_costly_costs_nothing_for_the_same_topics() -> None:
    pattern = TopicPattern("(0|1)*1(0|1){600}")
    names = [format(number, "0240b") for number in range(1, 80_000, 7)]
    view = TopicsView(TopicFacts(name, name.encode(), ()) for name in names)
    with pytest.raises(ProtocolError, match="costly"):
        pattern.resolve(view)
    pattern._steps = 0
    with pytest.raises(ProtocolError, match="costly"):
        pattern.resolve(view)
    assert pattern._steps == 0
