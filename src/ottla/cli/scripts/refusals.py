"""What tools refuse themselves, and not the cluster."""

from __future__ import annotations

from ottla.base.errors import UserError


class CommandRefused(UserError):  # noqa: N818 - an answer to a person, not a fault
    """Names or values that make no sense for what they are of: told by their reason alone."""
