"""Addresses for HTTP, and how slow is slow."""

from __future__ import annotations

import pytest

from ottla.settings.broker import BrokerSettings
from ottla.settings.endpoints import Endpoint
from ottla.settings.engine import SettingError
from ottla.settings.observation import HTTP_LISTENERS, SLOW_REQUEST_MS, http_endpoint


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost:9644", "localhost", 9644),
        ("http://10.0.0.1:80", "10.0.0.1", 80),
        (":9644", "", 9644),
        ("[::1]:0", "::1", 0),
    ],
)
def test_an_address_is_read_with_or_without_its_scheme(text: str, host: str, port: int) -> None:
    assert http_endpoint(text) == Endpoint("HTTP", host, port)


def test_nothing_is_served_and_nothing_is_slow_unless_somebody_says_so() -> None:
    settings = BrokerSettings({})
    assert settings[HTTP_LISTENERS] == ()
    assert settings[SLOW_REQUEST_MS] == -1


@pytest.mark.parametrize("text", ["9644", "https://localhost:9644", "localhost:99999", "a b:1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="an address looks like"):
        BrokerSettings({"ottla.http.listeners": f"localhost:1,{text}"})[HTTP_LISTENERS]


def test_a_request_is_not_slow_before_it_begins() -> None:
    with pytest.raises(SettingError):
        BrokerSettings({"ottla.slow.request.ms": "-2"})[SLOW_REQUEST_MS]
