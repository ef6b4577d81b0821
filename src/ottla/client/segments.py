"""Writing what lies in several pieces to a stream, without joining them first."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from ottla.base.world import Buffer

WRITES_AT_ONCE_MAX: Final = 512
"""Pieces in one system call: half of what Linux takes."""

_JOINS: Final = sys.version_info < (3, 12)
"""asyncio's own `writelines` copies all pieces into one there."""

_PLAIN_STREAMS: Final = "asyncio.selector_events"
"""Whose streams have nothing between them and their socket, as TLS would be."""


def write_segments(stream: asyncio.Transport, segments: Sequence[Buffer]) -> None:
    """Write them in their order. The stream may keep them: nobody changes them any more."""
    if len(segments) == 1:
        stream.write(segments[0])
    elif _JOINS and type(stream).__module__ == _PLAIN_STREAMS:
        _write_by_hand(stream, segments)
    else:
        stream.writelines(segments)


def _write_by_hand(stream: asyncio.Transport, segments: Sequence[Buffer]) -> None:
    """As much as the socket takes now; the stream keeps the rest."""
    written = 0
    if not stream.get_write_buffer_size():
        # A socket that is full, or gone: the stream's own `write` knows what is to be done then.
        with suppress(OSError):
            fd: int = stream.get_extra_info("socket").fileno()
            written = os.writev(fd, segments[:WRITES_AT_ONCE_MAX])
    for segment in segments:
        if written >= len(segment):
            written -= len(segment)
        else:
            stream.write(memoryview(segment)[written:])
            written = 0
