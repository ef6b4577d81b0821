"""Addresses of hosts in one form: an IPv6 address may be written in several ways."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

_KEPT: Final = 1024


@lru_cache(_KEPT)
def host_key(text: str) -> str:
    """Equal for texts that mean the same host; `::ffff:192.0.2.7` is 192.0.2.7."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
