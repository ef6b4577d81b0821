"""Finding the APIs: importing every module of `apis/` lets each register itself."""

from __future__ import annotations

from ottla.base.registry import import_siblings
from ottla.broker import apis
from ottla.broker.handlers import handlers
from ottla.wire.messages import load_all as load_messages


def load_handlers() -> None:
    """Make every API of the folder known. Raises RuntimeError for a module that serves nothing.

    All messages are declared first: the header of a request that is not served is read too.
    """
    load_messages()
    import_siblings(apis, lambda: len(handlers))
