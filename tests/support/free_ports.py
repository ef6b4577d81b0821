"""A port that nobody listens on, for programs that must be told one before they start."""

from __future__ import annotations

import socket

_GIVEN: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1, and never one twice; another program may take it before it is used."""
    # The system may offer the same one again, once in some ten thousand times.
    while (port := _offered()) in _GIVEN:
        continue
    _GIVEN.add(port)
    return port


def _offered() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
