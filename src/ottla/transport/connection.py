"""One client connection: bytes to frames, frames to a handler, answers back in order.

Frames that arrive whole are parsed in place in a scratch buffer that all connections of the loop
share; a handler must be done with a frame's bytes when `end_of_read` returns, because the next read
event of any connection overwrites them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Sequence
from struct import Struct
from typing import Protocol, cast

from ottla.base.limits import (
    OUTBOX_BYTES_PER_CONNECTION_MAX,
    RESPONSES_QUEUED_PER_CONNECTION_MAX,
    SMALL_FRAME_BYTES,
)
from ottla.base.world import Clock
from ottla.transport.outbox import Outbox, Segment
from ottla.transport.read_budget import ReadBudget

log = logging.getLogger(__name__)

FRAME_SIZE = Struct(">i")
FRAME_SIZE_BYTES = FRAME_SIZE.size


class Reply:
    """The place of one answer in a connection's order of answers."""

    __slots__ = ("connection", "segments")

    def __init__(self, connection: Connection, segments: Sequence[Segment] | None = None) -> None:
        self.connection = connection
        self.segments = segments

    def complete(self, segments: Sequence[Segment]) -> None:
        """Give the answer, once; it leaves when all earlier ones have left."""
        self.segments = segments
        self.connection.reply_completed()


class FrameHandler(Protocol):
    """What serves the frames of a listener."""

    def frame(self, connection: Connection, buffer: memoryview, start: int, end: int) -> bool:
        """Serve the frame `buffer[start:end]` (without its size prefix).

        The handler puts its `Reply` on the connection with `connection.expect`. True lets the next
        frame follow at once; False holds the connection's later frames until every reply is out.
        """
        ...

    def end_of_read(self) -> None:
        """All frames of one read event have been seen: commit what was gathered."""
        ...

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""
        ...


class Owner(Protocol):
    """What a connection needs of the listener that accepted it."""

    name: str
    handler: FrameHandler
    scratch: memoryview
    budget: ReadBudget
    request_bytes_max: int
    clock: Clock
    loop: asyncio.AbstractEventLoop

    def admit(self, connection: Connection) -> bool:
        """Whether the connection may stay."""
        ...

    def left(self, connection: Connection) -> None:
        """The connection is gone, admitted or not."""
        ...

    def memory_is_short(self) -> None:
        """The connection waits for read budget."""
        ...


class Connection(asyncio.BufferedProtocol):
    """The protocol object of one accepted socket."""

    __slots__ = (
        "_buffer",
        "_filled",
        "_finishing",
        "_frame_bytes_proven",
        "_held",
        "_mute_timer",
        "_outbox",
        "_owner",
        "_reading_event",
        "_reading_paused",
        "_remainder",
        "_replies",
        "_transport",
        "last_progress_ms",
        "local_address",
        "peer_address",
        "session",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._outbox: Outbox | None = None
        self._replies: deque[Reply] = deque()
        # Of an incomplete frame: a few bytes as they are, or a lent buffer of its own.
        self._remainder: bytes = b""
        self._buffer: bytearray | None = None
        self._filled = 0
        # The largest frame that this peer has sent whole: it gets that much memory at once again.
        self._frame_bytes_proven = 0
        # Held: later frames wait until every answer that is owed has left.
        self._held = False
        # While it runs the peer is not listened to.
        self._mute_timer: asyncio.TimerHandle | None = None
        self._finishing = False
        self._reading_paused = False
        self._reading_event = False
        self.last_progress_ms = 0
        self.peer_address: tuple[str, int] = ("", 0)
        self.local_address: tuple[str, int] = ("", 0)
        # What the floor above remembers of this client, as its software's name.
        self.session: object | None = None

    # -- life ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        self._transport = stream
        self.peer_address = _address(stream.get_extra_info("peername"))
        self.local_address = _address(stream.get_extra_info("sockname"))
        self.last_progress_ms = self._owner.clock.monotonic_ms()
        if not self._owner.admit(self):
            stream.abort()
            return
        self._outbox = self.open_outbox(stream)

    def open_outbox(self, stream: asyncio.Transport) -> Outbox:
        """The sending half; streams that are no sockets override it."""
        sock: socket.socket = stream.get_extra_info("socket")
        return Outbox(
            sock.fileno(),
            self._owner.loop,
            on_room=self._outbox_has_room,
            on_broken=self._peer_gone,
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if self._outbox is not None:
            self._outbox.close()
        if self._mute_timer is not None:
            self._mute_timer.cancel()
        self._drop_buffer()
        self._remainder = b""
        self._owner.budget.forget(self)
        self._transport = None
        self._owner.left(self)

    def set_socket_option(self, level: int, option: int, value: int) -> None:
        assert self._transport is not None
        self._transport.get_extra_info("socket").setsockopt(level, option, value)

    @property
    def peer(self) -> str:
        """Who is at the other end, for logs."""
        return f"{self.peer_address[0]}:{self.peer_address[1]}"

    @property
    def listener_name(self) -> str:
        return self._owner.name

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    @property
    def busy(self) -> bool:
        """Whether an answer is still owed or on its way."""
        return bool(self._replies) or (self._outbox is not None and self._outbox.waiting)

    def finish(self) -> None:
        """Serve no further request, send what is owed, then close."""
        self._held = True
        self._finishing = True
        self._pause_reading()
        self._close_when_finished()

    def close(self) -> None:
        """Close without sending what is queued."""
        if self._transport is not None:
            self._transport.abort()

    def refuse(self, reason: str) -> None:
        """Close because the peer broke the protocol; the log tells whom and why."""
        log.warning("closed a connection: %s", reason, extra={"peer": self.peer})
        self._held = True
        self.close()

    def mute(self, wait_ms: int) -> None:
        """Serve no further request for so long; what is owed is sent. The longest wait counts."""
        if self.closed:
            return
        loop, timer = self._owner.loop, self._mute_timer
        if timer is not None:
            if timer.when() >= loop.time() + wait_ms / 1000:
                return
            timer.cancel()
        self._mute_timer = loop.call_later(wait_ms / 1000, self._unmute)
        self._held = True
        if self._outbox is None:
            # A transport that has not begun to read yet cannot pause, and would forget it.
            loop.call_soon(self._pause_while_held)
        else:
            self._pause_reading()

    def _pause_while_held(self) -> None:
        if self._held:
            self._pause_reading()

    def _unmute(self) -> None:
        self._mute_timer = None
        # It was not read meanwhile: it cannot have idled.
        self.last_progress_ms = self._owner.clock.monotonic_ms()
        self._apply_backpressure()

    def evict(self) -> None:
        """See `read_budget.Holder`."""
        self.refuse("it stalled inside a request while memory for requests was short")
        self._drop_buffer()

    # -- reading ---------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._buffer is not None:
            return memoryview(self._buffer)[self._filled :]
        scratch = self._owner.scratch
        remainder = self._remainder
        kept = len(remainder)
        if kept:
            scratch[:kept] = remainder
        if self._owner.budget.waiting:
            # Whoever finds no memory for its frame keeps what it has read: let that be little.
            return scratch[kept : kept + SMALL_FRAME_BYTES]
        return scratch[kept:] if kept else scratch

    def buffer_updated(self, nbytes: int) -> None:
        self.last_progress_ms = self._owner.clock.monotonic_ms()
        if self._buffer is None:
            end = len(self._remainder) + nbytes
            self._remainder = b""
            self._serve(self._owner.scratch, end)
            return
        self._filled += nbytes
        self._large_frame_grew()

    def _serve(self, buffer: memoryview, end: int) -> None:
        """Hand every whole frame of `buffer[:end]` to the handler, and keep the rest."""
        listener = self._owner
        handler = listener.handler
        request_bytes_max = listener.request_bytes_max
        read_size = FRAME_SIZE.unpack_from
        position = 0
        self._reading_event = True
        while not self._held and end - position >= FRAME_SIZE_BYTES:
            (size,) = read_size(buffer, position)
            if not 0 < size <= request_bytes_max:
                self._refuse_size(size)
                break
            frame_end = position + FRAME_SIZE_BYTES + size
            if frame_end > end:
                break
            if not handler.frame(self, buffer, position + FRAME_SIZE_BYTES, frame_end):
                self._held = True
            position = frame_end
        handler.end_of_read()
        self._reading_event = False
        if self.closed:
            return
        if position < end:
            self._keep(buffer, position, end)
        if self._replies:
            self._flush_replies()

    def _refuse_size(self, size: int) -> None:
        self.refuse(
            f"a request claims {size} bytes; socket.request.max.bytes allows 1 to "
            f"{self._owner.request_bytes_max} (is the peer speaking another protocol, or TLS?)"
        )

    def _keep(self, buffer: memoryview, position: int, end: int) -> None:
        """Keep the bytes after the last frame that was served."""
        kept = end - position
        frame_bytes = self._frame_bytes(buffer, position, kept)
        if self._held:
            # Later requests of a connection that waits for an answer: they are served after it.
            self._remainder = bytes(buffer[position:end])
            self._pause_reading()
        elif frame_bytes <= SMALL_FRAME_BYTES:
            self._remainder = bytes(buffer[position:end])
        else:
            self._start_large_frame(buffer[position:end], frame_bytes)

    def _frame_bytes(self, buffer: memoryview, position: int, kept: int) -> int:
        if kept < FRAME_SIZE_BYTES:
            return FRAME_SIZE_BYTES
        size: int = FRAME_SIZE.unpack_from(buffer, position)[0]
        return FRAME_SIZE_BYTES + size

    # A frame too large for the scratch: buffers of its own, growing with what arrives. -----------

    def _start_large_frame(self, received: memoryview, frame_bytes: int) -> None:
        lent = self._lend(min(frame_bytes, max(4 * len(received), self._frame_bytes_proven)))
        if lent is None:
            self._remainder = bytes(received)
            return
        lent[: len(received)] = received
        self._buffer = lent
        self._filled = len(received)

    def _large_frame_grew(self) -> None:
        buffer = self._buffer
        assert buffer is not None
        frame_bytes = FRAME_SIZE_BYTES + FRAME_SIZE.unpack_from(buffer)[0]
        if self._filled >= frame_bytes:
            self._finish_large_frame(buffer)
        elif self._filled == len(buffer):
            self._grow_large_frame(buffer, frame_bytes)

    def _grow_large_frame(self, buffer: bytearray, frame_bytes: int) -> None:
        larger = self._lend(min(frame_bytes, max(4 * self._filled, self._frame_bytes_proven)))
        if larger is None:
            return
        larger[: self._filled] = memoryview(buffer)[: self._filled]
        self._owner.budget.give_back(self, buffer)
        self._buffer = larger

    def _finish_large_frame(self, buffer: bytearray) -> None:
        filled = self._filled
        self._frame_bytes_proven = max(self._frame_bytes_proven, filled)
        self._buffer = None
        self._filled = 0
        # The handler keeps none of it: the pool hands the buffer to somebody else's next frame.
        self._serve(memoryview(buffer), filled)
        self._owner.budget.give_back(self, buffer)

    def _drop_buffer(self) -> None:
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._owner.budget.give_back(self, buffer)

    def _lend(self, size: int) -> bytearray | None:
        proven = size <= self._frame_bytes_proven
        lent = self._owner.budget.lend(self, size, proven=proven)
        if lent is None:
            self._pause_reading()
            self._owner.memory_is_short()
        return lent

    def budget_available(self) -> None:
        """See `read_budget.Holder`."""
        if self.closed:
            return
        # It was not read while it waited: it cannot have stalled.
        self.last_progress_ms = self._owner.clock.monotonic_ms()
        if self._buffer is not None:
            self._large_frame_grew()
        else:
            self._serve_remainder()
        self._resume_unless_stopped()

    # -- answers ---------------------------------------------------------------------------------

    def expect(self, reply: Reply) -> None:
        """Take the next place in the order of answers."""
        self._replies.append(reply)

    def reply_completed(self) -> None:
        """Some reply got its answer. Within a read event the flush comes at its end."""
        if not self._reading_event:
            self._flush_replies()

    def _flush_replies(self) -> None:
        replies = self._replies
        ready: list[Segment] = []
        while replies:
            segments = replies[0].segments
            if segments is None:
                break
            replies.popleft()
            ready.extend(segments)
        if ready and self._outbox is not None:
            self._outbox.send(ready if len(ready) == 1 else merge_small(ready))
        self._apply_backpressure()

    def _apply_backpressure(self) -> None:
        if self._outbox is None or self._outbox.broken:
            return
        if self._finishing:
            self._close_when_finished()
            return
        crowded = (
            self._outbox.queued_bytes > OUTBOX_BYTES_PER_CONNECTION_MAX
            or len(self._replies) > RESPONSES_QUEUED_PER_CONNECTION_MAX
        )
        if crowded:
            self._held = True
            self._pause_reading()
        elif self._held and not self._replies and self._mute_timer is None:
            self._release()

    def _close_when_finished(self) -> None:
        if not self.busy:
            self.close()

    def _outbox_has_room(self) -> None:
        self._apply_backpressure()

    def _release(self) -> None:
        """Every answer is out: serve what came meanwhile, then read on."""
        self._held = False
        if self._remainder:
            # In a turn of its own, so that a long pipeline is a loop and not a recursion.
            self._owner.loop.call_soon(self._serve_remainder)
        else:
            self._resume_unless_stopped()

    def _serve_remainder(self) -> None:
        # Held and short of memory may be true together: whichever ends last serves.
        if self._is_stopped or self.closed:
            return
        remainder, self._remainder = self._remainder, b""
        if remainder:
            self._serve(memoryview(bytearray(remainder)), len(remainder))
        self._resume_unless_stopped()

    @property
    def _is_stopped(self) -> bool:
        """Whether answers or memory must come before anything more is read."""
        return self._held or self._owner.budget.is_waiting(self)

    def _resume_unless_stopped(self) -> None:
        if not self._is_stopped:
            self._resume_reading()

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self.closed:
            assert self._transport is not None
            self._reading_paused = False
            self._transport.resume_reading()

    def _peer_gone(self, error: OSError) -> None:
        log.debug("the peer is gone: %s", error, extra={"peer": self.peer})
        self.close()


def merge_small(segments: list[Segment]) -> list[Segment]:
    """Join neighbouring small buffers into one, so that a write takes few buffers."""
    merged: list[Segment] = []
    for segment in segments:
        last = merged[-1] if merged else None
        if type(segment) is bytearray and type(last) is bytearray and len(last) < SMALL_FRAME_BYTES:
            last += segment
        else:
            merged.append(segment)
    return merged


def _address(name: object) -> tuple[str, int]:
    """Host and port of a socket name; both empty where the peer is already gone."""
    return (name[0], name[1]) if isinstance(name, tuple) and len(name) >= 2 else ("", 0)
