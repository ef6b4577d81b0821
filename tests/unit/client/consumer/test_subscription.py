"""What a program may subscribe to."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ottla.base.errors import UserError
from ottla.client.consumer.subscription import subscription_of


def test_names_are_those_and_no_others() -> None:
    wanted = subscription_of(["a", "b", "a"], None, brokers_match=False)
    assert wanted.names == {"a", "b"}
    assert wanted.chooses("a")
    assert not wanted.chooses("aa")


def test_a_pattern_must_match_the_whole_name() -> None:
    wanted = subscription_of(None, "orders-.*|x", brokers_match=False)
    assert [name for name in ("orders-1", "my-orders-1", "x", "xy") if wanted.chooses(name)] == [
        "orders-1",
        "x",
    ]


def test_a_text_is_for_the_brokers_where_they_match_and_a_compiled_pattern_never_is() -> None:
    assert subscription_of(None, "(", brokers_match=True).expression == "("
    compiled = subscription_of(None, re.compile("a+"), brokers_match=True)
    assert compiled.expression is None
    assert compiled.chooses("aa")


@pytest.mark.parametrize(
    ("topics", "pattern"),
    [(None, None), (["a"], "a"), ([], None), ("a", None), (["a", ""], None), (None, "(")],
)
def test_what_says_nothing_or_too_much_is_refused(topics: Any, pattern: str | None) -> None:
    with pytest.raises(UserError):
        subscription_of(topics, pattern, brokers_match=False)
