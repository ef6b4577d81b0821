"""A port that nobody listens on, for programs that must be told one before they start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port of 127.0.0.1; another program may take it before it is used."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
