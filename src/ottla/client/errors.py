"""How asking a cluster fails. The messages are for people: they say which node and what to check.

`NodeError` is passing: the same may succeed at another node or later. `RefusedError` is an answer.
"""

from __future__ import annotations

from ottla.base.errors import ErrorCode, UserError


class NodeError(UserError):
    """A node could not be asked, or did not answer."""


class NodeUnreachableError(NodeError):
    """No connection could be made."""


class ConnectionLostError(NodeError):
    """The connection ended before the answer came; nobody knows whether the request was done."""


class AnswerTimeoutError(NodeError):
    """No answer came in time; nobody knows whether the request was done."""


class UnsendableError(UserError):
    """A request holds what no message carries: a name too long or not Unicode, a number too large.

    Nothing has left.
    """


class RefusedError(UserError):
    """A node answered with an error; `code` says which, `remedies.remedy_of` what helps."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


class DeadlineError(UserError):
    """What was asked for did not come about in the time that the caller gave."""


class ClusterClosedError(UserError):
    """The cluster was closed while it was asked, or before."""
