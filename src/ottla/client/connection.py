"""One connection to one node: versions agreed, requests and answers matched.

Any number of requests may be on their way; answers come in the order of the requests, as the
protocol demands. Nothing is sent twice here: whoever calls knows whether that is safe.

A call that is cancelled or given up leaves the connection as it is: its answer, when it comes, is
dropped. A node that owes its next answer for too long loses the connection (see `_watch`).
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar, cast

from ottla import __version__
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import CLIENT_REQUESTS_IN_FLIGHT_MAX, CLIENT_THROTTLE_MS_MAX
from ottla.client.address import Address
from ottla.client.connector import Connector, connect_tcp
from ottla.client.errors import (
    AnswerTimeoutError,
    ConnectionLostError,
    NodeError,
    NodeUnreachableError,
    UnsendableError,
)
from ottla.client.frame_reader import FrameReader
from ottla.client.options import DEFAULT_CLIENT_ID
from ottla.client.remedies import known_error
from ottla.client.segments import write_segments
from ottla.wire.compiler import codec
from ottla.wire.frames import request_segments
from ottla.wire.headers import decode_response_header
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.schema import Message
from ottla.wire.versions import VersionRange

R = TypeVar("R", bound=Message)

_CORRELATION_ID: Final = struct.Struct(">i")
_ERROR: Final = struct.Struct(">h")
_SOFTWARE: Final = "ottla"
_FIRST_TRY: Final = 3
"""The ApiVersions that is asked first: every broker since 2019 has it."""
_LAST_TRY: Final = 0
"""The form of the answer to an ApiVersions that the broker does not have (KIP-511)."""


class _Owed(NamedTuple):
    """An answer that the node owes."""

    answer: asyncio.Future[memoryview]
    patience_s: float


class Connection(asyncio.BufferedProtocol):
    """Made by `connect`. Use from one event loop only."""

    def __init__(self, address: Address, *, client_id: str, timeout_s: float) -> None:
        self.address = address
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader(self._answered)
        self._owed: deque[tuple[int, _Owed]] = deque()
        self._next_correlation_id = 0
        self._versions: dict[int, VersionRange] = {}
        self._feature_levels: dict[str, int] = {}
        self._lost: str | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        # Who may not send yet stands in line, so that requests leave in the order of their calls.
        self._line = asyncio.Lock()
        self._in_line = 0
        self._room = asyncio.Event()
        self._transport_is_full = False
        self._throttle: asyncio.TimerHandle | None = None
        self._last_used_s = self._loop.time()
        # Since when the node owes the answer that must come next.
        self._head_since_s = 0.0
        self._watchdog: asyncio.TimerHandle | None = None

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._lost is not None

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits here, nor does the node owe an answer."""
        return not self._owed and not self._in_line

    @property
    def in_flight(self) -> int:
        """Requests whose answer is owed, those that nobody waits for any more included."""
        return len(self._owed)

    @property
    def idle_s(self) -> float:
        """Seconds since something was last sent or came."""
        return self._loop.time() - self._last_used_s

    # -- calling ---------------------------------------------------------------------------------

    async def call(
        self,
        request: Message,
        answer: type[R],
        *,
        at_most: int | None = None,
        timeout_s: float | None = None,
    ) -> R:
        """Ask in the highest version that both sides speak, and that is not above `at_most`.

        Requests leave in the order of the calls. Where there is room the request has left before
        this first waits; else it stands in line. `timeout_s` (the connection's own where None)
        bounds the wait of this call; a longer one than the connection's lets the node take longer.

        Raises NodeError, and ProtocolError for an API or a field that the node lacks or an answer
        that cannot be read. Cancelled, the request may have been done or not.
        """
        version = self.version_of(type(request), at_most=at_most)
        body = await self._exchange(request, version, timeout_s)
        response, end = codec(answer, version).decode(body, 0, len(body))
        if end != len(body):
            raise self._unreadable(f"{len(body) - end} bytes follow the {answer.__name__}")
        assert isinstance(response, answer)
        self._heed_throttle(response)
        return response

    async def tell(self, request: Message, *, at_most: int | None = None) -> None:
        """Send a request that has no answer: a Produce with acks=0.

        Returns when it has left; nobody knows whether it arrives. Raises NodeError, ProtocolError.
        """
        version = self.version_of(type(request), at_most=at_most)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._in_turn(lambda: self._send(request, version))
        except TimeoutError:
            raise self._timed_out(self._timeout_s) from None

    def version_of(self, request: type[Message], *, at_most: int | None = None) -> int:
        """The version that a request will have: the highest of both sides, not above `at_most`.

        Raises ProtocolError(UNSUPPORTED_VERSION) where there is none.
        """
        theirs = self._versions.get(request.API_KEY)
        common = None if theirs is None else theirs.intersection(request.VERSIONS)
        if common is not None and at_most is not None:
            common = common.intersection(VersionRange(0, at_most))
        if not common:
            limit = "" if at_most is None else f" up to {at_most}"
            offers = "does not offer it" if theirs is None else f"offers {theirs}"
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_VERSION,
                f"{self.address} takes {request.__name__} in no version{limit} that we speak: "
                f"it {offers}, we speak {request.VERSIONS}",
            )
        return common.max

    def speaks(self, request: type[Message]) -> bool:
        """Whether the node takes the request in any version of ours."""
        theirs = self._versions.get(request.API_KEY)
        return theirs is not None and bool(theirs.intersection(request.VERSIONS))

    def feature_level(self, name: str) -> int:
        """The level at which the cluster runs a feature, as `transaction.version`; 0 for none."""
        return self._feature_levels.get(name, 0)

    # -- one request and its answer --------------------------------------------------------------

    async def _exchange(
        self, request: Message, version: int, timeout_s: float | None
    ) -> memoryview:
        """Send, and wait for the body of the answer."""
        patience_s = self._timeout_s if timeout_s is None else timeout_s
        answer: asyncio.Future[memoryview] = self._loop.create_future()
        owed = _Owed(answer, max(patience_s, self._timeout_s))
        try:
            async with asyncio.timeout(patience_s):
                await self._in_turn(lambda: self._send(request, version, owed))
                frame = await answer
        except TimeoutError:
            raise self._timed_out(patience_s) from None
        _, position = decode_response_header(
            frame, 0, len(frame), api_key=request.API_KEY, version=version
        )
        return frame[position:]

    async def _in_turn(self, send: Callable[[], None]) -> None:
        """Send once there is room, and not before who came earlier."""
        if not self._in_line and self._may_send:
            send()
            return
        self._in_line += 1
        try:
            async with self._line:
                while not self._may_send:
                    self._room.clear()
                    await self._room.wait()
                send()
        finally:
            self._in_line -= 1

    @property
    def _may_send(self) -> bool:
        """Whether the next request may leave, or learn that none can."""
        return self._lost is not None or (
            not self._transport_is_full
            and len(self._owed) < CLIENT_REQUESTS_IN_FLIGHT_MAX
            and self._throttle is None
        )

    def _send(self, request: Message, version: int, owed: _Owed | None = None) -> None:
        """Write a request; of one that cannot be written nothing has left."""
        if self._transport is None or self._lost is not None:
            raise ConnectionLostError(self._lost or f"not connected to {self.address}")
        correlation_id = self._next_correlation_id
        try:
            segments = request_segments(
                request, version=version, correlation_id=correlation_id, client_id=self._client_id
            )
        except (ValueError, OverflowError, struct.error) as error:
            raise UnsendableError(f"{type(request).__name__} cannot be sent: {error}") from error
        self._next_correlation_id = (correlation_id + 1) & 0x7FFF_FFFF
        self._last_used_s = self._loop.time()
        if owed is not None:
            self._expect(correlation_id, owed)
        write_segments(self._transport, segments)

    def _expect(self, correlation_id: int, owed: _Owed) -> None:
        if not self._owed:
            self._head_since_s = self._loop.time()
        self._owed.append((correlation_id, owed))
        self._watch_head()

    def _heed_throttle(self, response: Message) -> None:
        """Send nothing for as long as a broker over its quota asks (KIP-219)."""
        throttle_ms = min(getattr(response, "throttle_time_ms", 0), CLIENT_THROTTLE_MS_MAX)
        if throttle_ms <= 0 or self._lost is not None:
            return
        end_s = self._loop.time() + throttle_ms / 1000
        if self._throttle is not None:
            if self._throttle.when() >= end_s:
                return
            self._throttle.cancel()
        self._throttle = self._loop.call_at(end_s, self._end_throttle)

    def _end_throttle(self) -> None:
        self._throttle = None
        self._room.set()

    # -- a node that owes an answer for too long ------------------------------------------------

    def _watch_head(self) -> None:
        """See that the watchdog looks no later than when the next answer is overdue."""
        _, owed = self._owed[0]
        due_s = self._head_since_s + owed.patience_s
        if self._watchdog is not None:
            if self._watchdog.when() <= due_s:
                return
            self._watchdog.cancel()
        self._watchdog = self._loop.call_at(due_s, self._watch)

    def _watch(self) -> None:
        """Give the connection up where its node is silent.

        Only the answer that must come next counts, from the moment when it became the next: behind
        a request that may take minutes, as a JoinGroup, the others are not late.
        """
        self._watchdog = None
        if not self._owed:
            return
        _, owed = self._owed[0]
        if self._loop.time() < self._head_since_s + owed.patience_s:
            self._watch_head()
        else:
            self._lose(str(self._timed_out(owed.patience_s)), AnswerTimeoutError)

    def _timed_out(self, seconds: float) -> AnswerTimeoutError:
        return AnswerTimeoutError(f"{self.address} has not answered within {seconds:g} s")

    # -- agreeing on versions --------------------------------------------------------------------

    async def negotiate(self) -> None:
        """Ask what the node speaks; `connect` has done it."""
        request = ApiVersionsRequest(
            client_software_name=_SOFTWARE, client_software_version=__version__
        )
        body = await self._exchange(request, _FIRST_TRY, None)
        version = _FIRST_TRY
        (error_code,) = _ERROR.unpack_from(body) if len(body) >= _ERROR.size else (0,)
        if error_code == ErrorCode.UNSUPPORTED_VERSION:
            body, version = await self._exchange(ApiVersionsRequest(), _LAST_TRY, None), _LAST_TRY
        response, _ = codec(ApiVersionsResponse, version).decode(body, 0, len(body))
        assert isinstance(response, ApiVersionsResponse)
        if response.error_code:
            code = known_error(response.error_code)
            raise ProtocolError(code, f"{self.address} does not say what it speaks")
        self._versions = {
            api.api_key: VersionRange(api.min_version, api.max_version) for api in response.api_keys
        }
        self._feature_levels = {
            feature.name: feature.max_version_level for feature in response.finalized_features
        }

    # -- the stream ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For asyncio."""
        # A cast: uvloop's transports are no subclass.
        self._transport = cast(asyncio.Transport, transport)
        if self._lost is not None:
            self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """For asyncio."""
        return self._reader.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """For asyncio."""
        try:
            self._reader.received(nbytes)
        except ValueError as error:
            self._lose(f"{self.address} does not speak Kafka's protocol: {error}")

    def pause_writing(self) -> None:
        """For asyncio."""
        self._transport_is_full = True

    def resume_writing(self) -> None:
        """For asyncio."""
        self._transport_is_full = False
        self._room.set()

    def connection_lost(self, error: Exception | None) -> None:
        """For asyncio."""
        self._lose(f"the connection to {self.address} ended: {error or 'closed by the other side'}")
        if not self._closed.done():
            self._closed.set_result(None)

    def _answered(self, frame: memoryview) -> None:
        if self._lost is not None:
            return
        (correlation_id,) = _CORRELATION_ID.unpack_from(frame)
        if not self._owed or self._owed[0][0] != correlation_id:
            self._lose(f"{self.address} answered what it was not asked")
            return
        _, owed = self._owed.popleft()
        self._head_since_s = self._last_used_s = self._loop.time()
        if not owed.answer.done():  # whoever asked may have given up
            owed.answer.set_result(frame)
        if self._owed:
            self._watch_head()
        self._room.set()

    def _lose(self, why: str, kind: type[NodeError] = ConnectionLostError) -> None:
        """Everybody who waits learns why."""
        if self._lost is None:
            self._lost = why
        owed, self._owed = self._owed, deque()
        for _, lost in owed:
            if not lost.answer.done():
                lost.answer.set_exception(kind(why))
        self._room.set()
        for timer in (self._watchdog, self._throttle):
            if timer is not None:
                timer.cancel()
        self._watchdog = self._throttle = None
        if self._transport is not None:
            self._transport.abort()

    def _unreadable(self, why: str) -> ProtocolError:
        return ProtocolError(
            ErrorCode.INVALID_REQUEST, f"the answer of {self.address} cannot be read: {why}"
        )

    def drop(self, why: str = "it was closed here") -> None:
        """Let go at once; who still waits gets ConnectionLostError."""
        self._lose(f"the connection to {self.address} ended: {why}")

    async def close(self) -> None:
        """Let go, and wait until the stream is closed. Closing twice is fine."""
        self.drop()
        if self._transport is not None:
            await asyncio.shield(self._closed)


async def connect(
    address: Address,
    *,
    client_id: str = DEFAULT_CLIENT_ID,
    timeout_s: float = 30.0,
    setup_timeout_s: float | None = None,
    connector: Connector = connect_tcp,
) -> Connection:
    """Connect and agree on versions. Raises NodeError, and ProtocolError for no Kafka broker.

    `timeout_s` bounds each call that does not say otherwise; `setup_timeout_s` (the same where
    None) all that is done here.
    """
    connection = Connection(address, client_id=client_id, timeout_s=timeout_s)
    setup_timeout_s = timeout_s if setup_timeout_s is None else setup_timeout_s
    try:
        async with asyncio.timeout(setup_timeout_s):
            await connector(address, lambda: connection)
            await connection.negotiate()
    except BaseException as error:
        await connection.close()
        # A name that cannot be one (`a..b`) is noticed where it is encoded for the lookup.
        if not isinstance(error, OSError | UnicodeError):
            raise
        # The deadline above raises an OSError, too: one that says nothing.
        reason = str(error) or f"no answer within {setup_timeout_s:g} s"
        raise NodeUnreachableError(f"cannot connect to {address}: {reason}") from error
    return connection
