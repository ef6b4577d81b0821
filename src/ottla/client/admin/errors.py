"""How administration fails, beside `client.errors`."""

from __future__ import annotations

from ottla.base.errors import UserError


class UnsupportedByBrokerError(UserError):
    """The broker does not offer the API, or not in the version that says what was asked for."""


class AdminClosedError(UserError):
    """It was closed, or not started yet."""
