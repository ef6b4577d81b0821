"""What can go wrong beside what the asyncio classes raise: threads, forks and waking."""

from __future__ import annotations

from ottla.base.errors import UserError


class ClientForkedError(UserError):
    """The client was made before this process was forked, and belongs to the parent: make another.

    Closing it here is harmless; the parent's goes on.
    """


class ConcurrentUseError(UserError):
    """Another thread is inside a call of this consumer. Only `wakeup` and `close` may come then."""


class WakeupError(UserError):
    """`wakeup` was called. Nothing was handed out."""


class BackgroundLostError(UserError):
    """The thread behind all blocking clients has ended; the log says why. Close them."""
