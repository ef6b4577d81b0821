"""Where nodes listen, and how a person writes it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ottla.base.errors import UserError

DEFAULT_PORT: Final = 9092

_ADDRESS: Final = re.compile(
    r"(?:[A-Za-z0-9_]+://)?(?P<host>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>\d+))?"
)


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_addresses(text: str) -> list[Address]:
    """Read `host:port,host:port`; the port may be left out. Raises UserError."""
    addresses = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _ADDRESS.fullmatch(part)
        port = int(found["port"] or DEFAULT_PORT) if found else 0
        if found is None or not 0 < port < 1 << 16:
            raise UserError(f"{part!r} is no address: write HOST:PORT, as localhost:9092")
        addresses.append(Address(found["host"].strip("[]"), port))
    if not addresses:
        raise UserError("no address of a broker was given: write HOST:PORT, as localhost:9092")
    return addresses
