"""The way from clients to a broker under test: passes frames on, and does the faults asked for.

It knows of a frame what its header says, and more only where a fault is about it. Requests stay
pipelined: the answers that it makes itself wait for those that the broker owes before them.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import KIB, PROXIED_FRAME_BYTES_MAX
from ottla.testing.faults import Action, Cut, Delay, Fail, Faults, LoseAnswer
from ottla.testing.refusals import can_fail, failed_metadata, refused
from ottla.wire.compiler import codec
from ottla.wire.frames import response_frame
from ottla.wire.headers import RequestHeader, decode_request_header, decode_response_header
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.schema import Message, requests

_SIZE: Final = struct.Struct(">i")
HOST: Final = "127.0.0.1"
READ_AHEAD_BYTES: Final = 256 * KIB
_ENDS: Final = (OSError, EOFError, ProtocolError)
"""How a connection ends: by either end, or by what is no request."""


class FaultProxy:
    """Listens on a free port of 127.0.0.1 from `open` to `close`, also while there is no broker.

    `target` is where the broker listens; while it is None, whoever connects is closed at once. Use
    from one event loop only.
    """

    def __init__(self, faults: Faults) -> None:
        self.host = HOST
        self.port = 0
        self.target: tuple[str, int] | None = None
        self._faults = faults
        # In the order of their making, so that a run of a test is like the one before.
        self._links: dict[_Link, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Take a port, and keep it."""
        self._server = await asyncio.start_server(self.accept, HOST, 0, limit=READ_AHEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close every connection and give the port back."""
        self.target = None
        if self._server is not None:
            self._server.close()
        self.cut_all()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut_all(self) -> int:
        """Close every connection; how many there were."""
        links = list(self._links)
        for link in links:
            link.cut()
        return len(links)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client."""
        task = asyncio.ensure_future(self._serve(_Stream(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: _Stream) -> None:
        broker = await self._connect()
        if broker is None:
            client.cut()
            return
        link = _Link(client, broker, self._faults)
        self._links[link] = None
        try:
            await link.run()
        finally:
            self._links.pop(link, None)

    async def _connect(self) -> _Stream | None:
        """A connection to the broker, where there is one."""
        if self.target is None:
            return None
        try:
            ends = await self.dial(self.target)
        except OSError:  # the broker has gone, as brokers under test do
            return None
        return _Stream(*ends)

    async def dial(
        self, target: tuple[str, int]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the broker. Raises OSError."""
        return await asyncio.open_connection(*target, limit=READ_AHEAD_BYTES)


class _Stream(NamedTuple):
    """One end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read_frame(self) -> bytes:
        """The next frame without its size. Raises OSError and EOFError where none comes."""
        (size,) = _SIZE.unpack(await self.reader.readexactly(_SIZE.size))
        if not 0 <= size <= PROXIED_FRAME_BYTES_MAX:
            raise EOFError(f"a frame of {size} bytes")
        return await self.reader.readexactly(size)

    def write_frame(self, frame: bytes) -> None:
        self.writer.write(_SIZE.pack(len(frame)) + frame)

    def cut(self) -> None:
        self.writer.transport.abort()


class _Owed(NamedTuple):
    """An answer in the order of the requests.

    `made` is the whole answer where the broker is not asked; `error` goes into an answer of the
    broker to a Metadata request of `version`; `is_lost` closes the connection in its place.
    """

    made: bytes | None = None
    error: ErrorCode | None = None
    version: int = 0
    is_lost: bool = False


_PASSED_ON: Final = _Owed()


class _Link:
    """One client's connection and the one to the broker behind it."""

    def __init__(self, client: _Stream, broker: _Stream, faults: Faults) -> None:
        self._client = client
        self._broker = broker
        self._faults = faults
        self._owed: deque[_Owed] = deque()

    def cut(self) -> None:
        """Close both ends; `run` returns soon."""
        self._client.cut()
        self._broker.cut()

    async def run(self) -> None:
        """Pass frames on until either end closes."""
        ways = [
            asyncio.ensure_future(self._pass_requests()),
            asyncio.ensure_future(self._pass_answers()),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            ended = await asyncio.gather(*ways, return_exceptions=True)
            self._client.writer.close()  # after what was written to it
            self._broker.cut()
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, _ENDS):
                raise error

    # -- requests --------------------------------------------------------------------------------

    async def _pass_requests(self) -> None:
        """Take requests until the connection or a fault ends it."""
        while True:
            frame = await self._client.read_frame()
            asked = _read(frame, self._faults)
            if not await self._take(frame, asked):
                return
            await self._broker.writer.drain()

    async def _take(self, frame: bytes, asked: _Asked) -> bool:
        """Do one request; whether the connection goes on."""
        if self._is_uncounted(asked):
            self._renew_session(frame, asked)
            return True
        actions = self._faults.due(asked.header.api_key)
        await _hold(actions)
        if any(isinstance(action, Cut) for action in actions):
            return False
        error = next((action.error for action in actions if isinstance(action, Fail)), None)
        if error is not None and asked.request is not None:
            return self._fail(frame, asked, asked.request, error)
        self._pass_on(frame, asked, _Owed(is_lost=LoseAnswer() in actions))
        return True

    def _is_uncounted(self, asked: _Asked) -> bool:
        """Whether a failure is asked for that this request could not show."""
        return (
            asked.request is not None
            and not can_fail(asked.request)
            and self._faults.may_fail(asked.header.api_key)
        )

    def _renew_session(self, frame: bytes, asked: _Asked) -> None:
        """Let a fetcher name all its partitions again: only then each can be told an error."""
        if isinstance(asked.request, FetchRequest):
            self._answer(_refusal(asked, asked.request, ErrorCode.FETCH_SESSION_ID_NOT_FOUND))
        else:
            self._pass_on(frame, asked, _PASSED_ON)

    def _fail(self, frame: bytes, asked: _Asked, request: Message, error: ErrorCode) -> bool:
        if not asked.is_answered:
            return False  # an error of a Produce without answers closes the connection, as in Kafka
        if isinstance(request, MetadataRequest):
            self._pass_on(frame, asked, _Owed(error=error, version=asked.header.api_version))
        else:
            self._answer(_refusal(asked, request, error))
        return True

    def _pass_on(self, frame: bytes, asked: _Asked, owed: _Owed) -> None:
        if asked.is_answered:
            self._owed.append(owed)
        self._broker.write_frame(frame)

    def _answer(self, frame: bytes) -> None:
        """Answer in the broker's place, once it has answered everything before."""
        self._owed.append(_Owed(made=frame))
        self._send_made()

    def _send_made(self) -> None:
        while self._owed and self._owed[0].made is not None:
            self._client.writer.write(self._owed.popleft().made or b"")

    # -- answers ---------------------------------------------------------------------------------

    async def _pass_answers(self) -> None:
        """Pass answers on until the connection or a fault ends it."""
        while True:
            frame = await self._broker.read_frame()
            owed = self._owed.popleft() if self._owed else _PASSED_ON
            if owed.is_lost:
                return
            if owed.error is not None:
                frame = _with_error(frame, owed.version, owed.error)
            self._client.write_frame(frame)
            self._send_made()
            await self._client.writer.drain()


class _Asked(NamedTuple):
    """A request as far as it matters here; `request` is None where it does not, or is unknown."""

    header: RequestHeader
    request: Message | None

    @property
    def is_answered(self) -> bool:
        """A Produce with acks 0 is not."""
        return not (isinstance(self.request, ProduceRequest) and self.request.acks == 0)


def _read(frame: bytes, faults: Faults) -> _Asked:
    """Read the header, and the request where a fault is about it. Raises ProtocolError."""
    view = memoryview(frame)
    header, body = decode_request_header(view, 0, len(view))
    kind = requests.get(header.api_key)
    matters = header.api_key == ProduceRequest.API_KEY or faults.concern(header.api_key)
    if kind is None or not matters or header.api_version not in kind.VERSIONS:
        return _Asked(header, None)
    request, _ = codec(kind, header.api_version).decode(view, body, len(view))
    return _Asked(header, request)


async def _hold(actions: list[Action]) -> None:
    seconds = sum(action.seconds for action in actions if isinstance(action, Delay))
    if seconds:
        await asyncio.sleep(seconds)


def _refusal(asked: _Asked, request: Message, error: ErrorCode) -> bytes:
    """The frame of a refusal, with its size."""
    header = asked.header
    response, version = refused(request, error, version=header.api_version)
    return b"".join(response_frame(header.api_key, version, header.correlation_id, response))


def _with_error(frame: bytes, version: int, error: ErrorCode) -> bytes:
    """The same answer to a Metadata request, saying that its topics have this error."""
    view, key = memoryview(frame), MetadataRequest.API_KEY
    correlation_id, body = decode_response_header(view, 0, len(view), api_key=key, version=version)
    response, _ = codec(MetadataResponse, version).decode(view, body, len(view))
    failed_metadata(response, error)
    made = b"".join(response_frame(key, version, correlation_id, response))
    return made[_SIZE.size :]
