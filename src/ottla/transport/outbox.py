"""What a connection still has to send: bytes, and regions of files that never enter this process.

Writes go straight to the socket. `transport.write` of asyncio would join and copy large answers
(three times slower on Python 3.11), and it cannot `sendfile` under uvloop; so the transport's own
buffer stays empty and everything a connection sends passes here, in order.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence

from ottla.base.limits import PREAD_BYTES_MAX, SEND_CHUNK_BYTES, SEND_TURN_BYTES, WRITEV_BUFFERS_MAX
from ottla.base.world import Buffer, File

SENDFILE = getattr(os, "sendfile", None)


class FileRegion:
    """`length` bytes of a file from `position`; keeps the file open until they are sent."""

    __slots__ = ("file", "length", "position")

    def __init__(self, file: File, position: int, length: int) -> None:
        self.file = file
        self.position = position
        self.length = length

    def __len__(self) -> int:
        return self.length


Segment = Buffer | FileRegion


class Outbox:
    """The sending half of one socket.

    `on_room` is called each time everything queued has been sent after a wait.
    `on_broken` is called once when the peer is gone; nothing is sent after it.
    """

    __slots__ = (
        "_dup",
        "_fd",
        "_loop",
        "_on_broken",
        "_on_room",
        "_queue",
        "broken",
        "queued_bytes",
    )

    def __init__(
        self,
        fd: int,
        loop: asyncio.AbstractEventLoop,
        *,
        on_room: Callable[[], None],
        on_broken: Callable[[OSError], None],
    ) -> None:
        self._fd = fd
        self._loop = loop
        self._on_room = on_room
        self._on_broken = on_broken
        self._queue: deque[Segment] = deque()
        self._dup = -1
        self.queued_bytes = 0
        self.broken = False

    @property
    def waiting(self) -> bool:
        """Whether the socket took less than it was given."""
        return bool(self._queue)

    def send(self, segments: Sequence[Segment]) -> None:
        """Send in order; what the socket does not take now goes out when it has room."""
        if self.broken:
            return
        queue = self._queue
        if not queue and len(segments) == 1 and type(segments[0]) is bytearray:
            # The usual answer is one small buffer: no queue, no gathering.
            only = segments[0]
            try:
                sent = os.write(self._fd, only)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._break(error)
                return
            if sent == len(only):
                return
            queue.append(memoryview(only)[sent:])
            self.queued_bytes += len(only) - sent
            self._wait_for_room()
            return
        was_waiting = bool(queue)
        queue.extend(segments)
        self.queued_bytes += sum(map(len, segments))
        if not was_waiting:
            self._send_queued()

    def close(self) -> None:
        """Drop what is queued and the descriptor of the wait."""
        self._queue.clear()
        self.queued_bytes = 0
        self.broken = True
        self._stop_waiting()

    def _send_queued(self) -> None:
        queue = self._queue
        turn = SEND_TURN_BYTES
        try:
            while queue and turn > 0:
                sent = self._send_region() if type(queue[0]) is FileRegion else self._send_buffers()
                self.queued_bytes -= sent
                turn -= sent
        except BlockingIOError:
            turn = 0
        except OSError as error:
            self._break(error)
            return
        if queue:
            self._wait_for_room()
        elif self._dup >= 0:
            self._stop_waiting()
            self._on_room()

    def _send_buffers(self) -> int:
        """Write the buffers at the head of the queue; the number of bytes the socket took."""
        buffers: list[Buffer] = []
        for segment in self._queue:
            if type(segment) is FileRegion or len(buffers) == WRITEV_BUFFERS_MAX:
                break
            buffers.append(segment)  # type: ignore[arg-type]  # checked in the line above
        sent = os.writev(self._fd, buffers)
        left = sent
        for buffer in buffers:
            if left < len(buffer):
                self._queue[0] = memoryview(buffer)[left:]
                break
            left -= len(buffer)
            self._queue.popleft()
        return sent

    def _send_region(self) -> int:
        """Send a piece of the region at the head of the queue; the number of bytes taken."""
        region = self._queue[0]
        assert isinstance(region, FileRegion)
        chunk = min(region.length, SEND_CHUNK_BYTES)
        in_fd = region.file.fileno()
        if SENDFILE is not None and in_fd >= 0:
            sent: int = SENDFILE(self._fd, in_fd, region.position, chunk)
        else:
            sent = os.write(self._fd, region.file.read_at(region.position, chunk))
        if sent == 0:
            raise BrokenPipeError("the file ends before the region that was promised")
        region.position += sent
        region.length -= sent
        if not region.length:
            self._queue.popleft()
        return sent

    def _wait_for_room(self) -> None:
        if self._dup < 0:
            # The loop refuses a writer on a descriptor that a transport uses: watch a copy of it.
            self._dup = os.dup(self._fd)
            self._loop.add_writer(self._dup, self._send_queued)

    def _stop_waiting(self) -> None:
        if self._dup >= 0:
            self._loop.remove_writer(self._dup)
            os.close(self._dup)
            self._dup = -1

    def _break(self, error: OSError) -> None:
        self.close()
        self._on_broken(error)


def file_segment(file: File, position: int, length: int) -> Segment:
    """A region as it is cheapest to send: read now when small, by `sendfile` when large."""
    if length <= PREAD_BYTES_MAX:
        return file.read_at(position, length)
    return FileRegion(file, position, length)
