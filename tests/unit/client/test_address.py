"""Addresses as people write them."""

from __future__ import annotations

import pytest

from ottla.base.errors import UserError
from ottla.client.address import Address, parse_addresses


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("localhost:9092", [Address("localhost", 9092)]),
        ("a, b:1 ,", [Address("a", 9092), Address("b", 1)]),
        ("PLAINTEXT://a:5,[::1]:7", [Address("a", 5), Address("::1", 7)]),
    ],
)
def test_addresses_are_read(text: str, addresses: list[Address]) -> None:
    assert parse_addresses(text) == addresses


@pytest.mark.parametrize("text", ["", ",", "a:b", "a:0", "a:65536", "a:1:2", ":9092"])
def test_broken_addresses_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="localhost:9092"):
        parse_addresses(text)
