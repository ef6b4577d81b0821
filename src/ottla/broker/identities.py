"""Who is at the other end of a connection."""

from __future__ import annotations

from ottla.security.tokens import ANONYMOUS, Principal
from ottla.transport.connection import Connection


def principal_of(connection: Connection) -> Principal:
    """Every listener is one without authentication: it knows nobody by name."""
    del connection
    return ANONYMOUS
