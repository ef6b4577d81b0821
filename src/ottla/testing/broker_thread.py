"""A broker inside this process, on the loop of a thread of its own."""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from ottla.broker.discovery import load_handlers
from ottla.broker.loggers import forget_levels
from ottla.node.logging import LineFormatter
from ottla.node.machine import Machine
from ottla.node.node import Node
from ottla.settings.broker import BrokerSettings
from ottla.testing.loop_thread import LoopThread

_FLOORS: Final = re.compile(r"ottla\.(node|broker|quorum|transport|log|groups|transactions)(\.|$)")
"""Whose loggers only a broker speaks through; our clients have others."""


class Log(Protocol):
    """Where what a broker tells is kept over its restarts."""

    def handler(self) -> logging.Handler:
        """Adds to it."""
        ...

    def text(self) -> str:
        """All of it."""
        ...


class FileLog:
    """In a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def handler(self) -> logging.Handler:
        """See `Log`."""
        return logging.FileHandler(self._path, encoding="utf-8")

    def text(self) -> str:
        """See `Log`."""
        return self._path.read_text(encoding="utf-8") if self._path.exists() else ""


class TextLog:
    """In memory."""

    def __init__(self) -> None:
        self._stream = io.StringIO()

    def handler(self) -> logging.Handler:
        """See `Log`."""
        return logging.StreamHandler(self._stream)

    def text(self) -> str:
        """See `Log`."""
        return self._stream.getvalue()


class BrokerThread:
    """`node.Node` on a loop of another thread; the thread is whoever's made it."""

    def __init__(
        self,
        settings: Mapping[str, str],
        *,
        loop: LoopThread,
        log: Log,
        machine: Machine | None = None,
    ) -> None:
        """On this machine where no other is given."""
        self._texts = dict(settings)
        self._loop = loop
        self._log = _ThreadLog(log, loop)
        self._machine = machine
        self._node: Node | None = None

    @property
    def running(self) -> bool:
        return self._node is not None and not self._node.lost.done()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the listener, as bound."""
        assert self._node is not None
        return self._node.address

    def start(self) -> None:
        """Start, and wait until clients can connect. Raises UserError where it refuses."""
        assert self._node is None
        load_handlers()  # so that their loggers are there
        self._log.begin()
        try:
            self._node = self._loop.run(Node.start(BrokerSettings(self._texts), self._machine))
        except BaseException:
            self._log.end()
            raise

    def stop(self) -> int:
        """Stop in order; 0, as a process says it."""
        node, self._node = self._node, None
        assert node is not None
        try:
            self._loop.run(node.stop())
        finally:
            self._ended()
        return 0

    def kill(self) -> None:
        """Let go of everything as the end of a process would: no mark of a clean stop."""
        node, self._node = self._node, None
        assert node is not None
        try:
            self._loop.run(node.abandon())
        finally:
            self._ended()

    def _ended(self) -> None:
        forget_levels()  # of the process, which goes on
        self._log.end()

    def forget(self) -> None:
        """Leave nothing behind, whatever became of it."""
        if self._node is not None:
            self.kill()

    def log(self) -> str:
        """What it has told since the first start."""
        return self._log.text()


class _ThreadLog:
    """What is logged in one thread."""

    def __init__(self, log: Log, loop: LoopThread) -> None:
        self._log = log
        self._loop = loop
        self._handler: logging.Handler | None = None

    def begin(self) -> None:
        assert self._loop.ident is not None
        self._handler = self._log.handler()
        self._handler.setFormatter(LineFormatter())
        _DIVERSION.begin(self._loop.ident, self._handler)

    def end(self) -> None:
        assert self._loop.ident is not None
        assert self._handler is not None
        _DIVERSION.end(self._loop.ident)
        self._handler.close()

    def text(self) -> str:
        return self._log.text()


class _Diversion(logging.Filter):
    """Sends what brokers log, told apart by their threads, to their own files and nowhere else.

    A test run has its own idea of logging, and captures more than the root logger gets: only what
    a logger's own filter takes away stays out of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[int, logging.Handler] = {}
        self._loggers: list[logging.Logger] = []

    def filter(self, record: logging.LogRecord) -> bool:
        handler = self._handlers.get(record.thread or 0)
        if handler is None and record.thread != threading.main_thread().ident:
            handler = self._youngest()
        if handler is None:
            return True
        handler.handle(record)
        return False

    def _youngest(self) -> logging.Handler | None:
        """Who gets what is told in threads of no broker: those that sync its files.

        The main thread is the test's own: what it tells is never a broker's.
        """
        return next(reversed(list(self._handlers.values())), None)

    def begin(self, thread: int, handler: logging.Handler) -> None:
        """Divert what this thread logs; loggers made later are left alone."""
        self._handlers[thread] = handler
        for name in [name for name in logging.root.manager.loggerDict if _FLOORS.match(name)]:
            logger = logging.getLogger(name)
            if logger not in self._loggers:
                self._loggers.append(logger)
                logger.addFilter(self)
                logger.setLevel(logging.INFO)

    def end(self, thread: int) -> None:
        """Divert it no more; with the last one, loggers are as they were."""
        if len(self._handlers) == 1:
            for logger in self._loggers:
                logger.removeFilter(self)
                logger.setLevel(logging.NOTSET)
            self._loggers.clear()
        del self._handlers[thread]


_DIVERSION: Final = _Diversion()
