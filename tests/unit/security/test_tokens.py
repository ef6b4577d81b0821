"""Principals, and the secrets of delegation tokens."""

from __future__ import annotations

import pytest

from ottla.security.tokens import Principal, parse_principal, secret_of, shorter_ms


def test_a_principal_is_read_as_it_is_written() -> None:
    assert parse_principal("User:alice") == Principal("User", "alice")
    assert str(parse_principal("User:a:b")) == "User:a:b"
    with pytest.raises(ValueError, match="alice"):
        parse_principal("alice")


def test_a_secret_follows_from_the_id_and_the_key() -> None:
    assert secret_of("id", "key") == secret_of("id", "key")
    assert len({secret_of("id", "key"), secret_of("id", "other"), secret_of("other", "key")}) == 3
    assert len(secret_of("id", "key")) == 64


@pytest.mark.parametrize(("asked", "given"), [(-1, 100), (0, 100), (50, 50), (200, 100)])
def test_nobody_gets_longer_than_the_broker_allows(asked: int, given: int) -> None:
    assert shorter_ms(100, asked) == given
