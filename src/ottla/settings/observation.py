"""What a broker tells of itself: over HTTP, and in its log."""

from __future__ import annotations

from typing import Final

from ottla.settings.checks import Refusal, at_least
from ottla.settings.endpoints import Endpoint, parse_endpoint
from ottla.settings.engine import Setting
from ottla.settings.table import SETTINGS
from ottla.settings.values import SettingKind

HTTP: Final = "HTTP"
NO_SLOW_REQUESTS: Final = -1


def http_endpoint(text: str) -> Endpoint:
    """Read `host:port`, also behind `http://`; an empty host means every interface.

    Raises ValueError.
    """
    scheme, _, address = text.rpartition("://")
    if scheme.upper() not in ("", HTTP):
        raise ValueError(f"only http is spoken here, not {scheme}")
    return parse_endpoint(f"{HTTP}://{address}")


def http_addresses(values: tuple[str, ...]) -> Refusal | None:
    """A check: each is an address."""
    for value in values:
        try:
            http_endpoint(value)
        except ValueError:
            return Refusal("an address looks like localhost:9644 or :9644", value)
    return None


HTTP_LISTENERS: Setting[tuple[str, ...]] = SETTINGS.declare(
    SettingKind.LIST,
    "ottla.http.listeners",
    (),
    "Addresses, host:port, that serve /metrics for Prometheus, /health/live and /health/ready over "
    "HTTP, to whoever asks. None by default; port 0 picks a free one.",
    check=http_addresses,
)
SLOW_REQUEST_MS: Setting[int] = SETTINGS.declare(
    SettingKind.LONG,
    "ottla.slow.request.ms",
    NO_SLOW_REQUESTS,
    "Requests that take longer are logged, some 20 a second at most; -1 for none. What a fetch "
    "waits for data, and what members of a group wait for each other, does not count.",
    check=at_least(NO_SLOW_REQUESTS),
)
