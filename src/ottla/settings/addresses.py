"""`max.connections.per.ip.overrides`: addresses, and how many connections each may have."""

from __future__ import annotations

from ottla.settings.checks import Refusal


def parse_connections(text: str) -> dict[str, int]:
    """The connections that each address may have, by its shortest spelling. Raises ValueError."""
    return dict(_parse_one(item.strip()) for item in text.split(",") if item.strip())


def connections_of_addresses(text: str) -> Refusal | None:
    """A check: `address:count` items between commas."""
    try:
        parse_connections(text)
    except ValueError as error:
        return Refusal(str(error))
    return None


def _parse_one(item: str) -> tuple[str, int]:
    import ipaddress  # milliseconds that only a broker with such a setting pays

    host, colon, count = item.rpartition(":")
    if not colon or not (count.isascii() and count.isdigit()):
        raise ValueError(f"say address:count, as 10.0.0.7:100, where {item!r} stands")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise ValueError(f"{host!r} is no IP address; names are not looked up here") from None
    return str(address), int(count)
