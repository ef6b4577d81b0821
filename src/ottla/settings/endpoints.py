"""Listener addresses as Kafka writes them: `NAME://host:port`."""

from __future__ import annotations

import re
from typing import NamedTuple

from ottla.settings.checks import Refusal

_ENDPOINT = re.compile(
    r"(?P<name>[A-Za-z0-9_]+)://(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\[\]:/\s]*):(?P<port>[0-9]{1,5})"
)
_PORT_MAX = 65535


class Endpoint(NamedTuple):
    """One address; an empty host means every interface, port 0 a free one."""

    listener: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.listener}://{host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Read `NAME://host:port`; an IPv6 host stands in brackets. Raises ValueError."""
    found = _ENDPOINT.fullmatch(text)
    if found is None or int(found["port"]) > _PORT_MAX:
        raise ValueError(f"an address looks like PLAINTEXT://host:9092, not like {text!r}")
    return Endpoint(found["name"].upper(), found["host"].strip("[]"), int(found["port"]))


def parse_endpoints(texts: tuple[str, ...]) -> list[Endpoint]:
    """Read several. Raises ValueError."""
    return [parse_endpoint(text) for text in texts]


def listener_list(values: tuple[str, ...]) -> Refusal | None:
    """A check: addresses, no listener twice. A port that is taken is told when it is bound."""
    try:
        endpoints = parse_endpoints(values)
    except ValueError as error:
        return Refusal(str(error))
    names = [endpoint.listener for endpoint in endpoints]
    if len(set(names)) < len(names):
        return Refusal("two addresses share a listener name: give each its own")
    return None
