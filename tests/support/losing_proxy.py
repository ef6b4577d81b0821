"""A TCP proxy that hands requests on and now and then loses the answers, with the connection.

What the client sent is done by then, and it does not know: it has to ask again.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65536


class LosingProxy:
    """Listens on a free port of 127.0.0.1; `target` is where connections go, once it is known.

    Of the pieces that come back from there, one in `one_in` is lost while `is_losing`; `losses`
    counts them.
    Use it in a `with` statement.
    """

    def __init__(self, *, one_in: int, seed: int) -> None:
        self.target = ("", 0)
        self.losses = 0
        self.is_losing = True
        self._one_in = one_in
        self._random = random.Random(seed)
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for end in list(self._open):
            _cut(end)
        for thread in self._threads:
            thread.join()

    def _run(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments)  # type: ignore[arg-type]  # a callable
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                try:
                    server = socket.create_connection(self.target)
                except OSError:
                    client.close()
                    continue
                self._open |= {client, server}
                self._run(self._pass_on, client, server, False)
                self._run(self._pass_on, server, client, True)

    def _pass_on(self, source: socket.socket, sink: socket.socket, are_answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                if are_answers and self.is_losing and self._random.randrange(self._one_in) == 0:
                    self.losses += 1
                    break
                sink.sendall(data)
        _cut(source)
        _cut(sink)
        self._open -= {source, sink}


def _cut(end: socket.socket) -> None:
    """End a connection at both sides; its other thread notices."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
