"""How reaching a node fails. The messages are for people: they say which node and what to check."""

from __future__ import annotations

from ottla.base.errors import UserError


class NodeError(UserError):
    """A node could not be asked, or did not answer."""


class NodeUnreachableError(NodeError):
    """No connection could be made."""


class ConnectionLostError(NodeError):
    """The connection ended before the answer came; nobody knows whether the request was done."""


class AnswerTimeoutError(NodeError):
    """No answer came in time; nobody knows whether the request was done."""
