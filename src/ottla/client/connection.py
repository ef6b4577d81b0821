"""One connection to one node: versions agreed, requests and answers matched.

Any number of requests may be on their way; answers come in the order of the requests, as the
protocol demands. Nothing is sent twice here: whoever calls knows whether that is safe.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final, TypeVar

from ottla import __version__
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import MIB
from ottla.client.errors import AnswerTimeoutError, ConnectionLostError, NodeUnreachableError
from ottla.wire.compiler import codec
from ottla.wire.frames import request_frame
from ottla.wire.headers import decode_response_header
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.schema import Message
from ottla.wire.versions import VersionRange

R = TypeVar("R", bound=Message)

FRAME_BYTES_MAX: Final = 256 * MIB
"""A longer answer is not taken: it is no answer, but some other protocol."""

_SIZE: Final = struct.Struct(">i")
_ERROR: Final = struct.Struct(">h")
_SOFTWARE: Final = "ottla"
_FIRST_TRY: Final = 3
"""The ApiVersions that is asked first: every broker since 2019 has it."""
_LAST_TRY: Final = 0
"""The form of the answer to an ApiVersions that the broker does not have (KIP-511)."""


class Connection(asyncio.Protocol):
    """Made by `connect`. Use from one event loop only."""

    def __init__(self, address: str, client_id: str, timeout_s: float) -> None:
        self.address = address
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: dict[int, asyncio.Future[memoryview]] = {}
        self._next_correlation_id = 0
        self._versions: dict[int, VersionRange] = {}
        self._lost: str | None = None
        self._closed = asyncio.get_running_loop().create_future()

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._lost is not None

    # ── calling ──────────────────────────────────────────────────────────────────────────────────
    async def call(self, request: Message, answer: type[R], *, timeout_s: float | None = None) -> R:
        """Ask in the highest version that both sides speak.

        Raises NodeError, and ProtocolError for an API that the node lacks or an answer that
        cannot be read.
        """
        version = self.version_of(type(request))
        return await self._call(request, answer, version, timeout_s)

    def version_of(self, request: type[Message]) -> int:
        """The version that a request will have. Raises ProtocolError(UNSUPPORTED_VERSION)."""
        theirs = self._versions.get(request.API_KEY)
        common = None if theirs is None else theirs.intersection(request.VERSIONS)
        if common is None or common.min > common.max:
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_VERSION,
                f"{self.address} does not take {request.__name__} in a version that we speak",
            )
        return common.max

    async def _call(
        self, request: Message, answer: type[R], version: int, timeout_s: float | None
    ) -> R:
        body = await self._exchange(request, version, timeout_s)
        response, end = codec(answer, version).decode(body, 0, len(body))
        if end != len(body):
            raise self._unreadable(f"{len(body) - end} bytes follow the {answer.__name__}")
        assert isinstance(response, answer)
        return response

    async def _exchange(
        self, request: Message, version: int, timeout_s: float | None
    ) -> memoryview:
        """Send, and wait for the body of the answer."""
        if self._transport is None or self._lost is not None:
            raise ConnectionLostError(self._lost or f"not connected to {self.address}")
        correlation_id = self._next_correlation_id
        self._next_correlation_id = (correlation_id + 1) & 0x7FFF_FFFF
        frame = request_frame(
            request, version=version, correlation_id=correlation_id, client_id=self._client_id
        )
        waiting: asyncio.Future[memoryview] = asyncio.get_running_loop().create_future()
        self._waiting[correlation_id] = waiting
        self._transport.write(frame)
        try:
            async with asyncio.timeout(timeout_s or self._timeout_s):
                answer = await waiting
        except TimeoutError:
            raise AnswerTimeoutError(
                f"{self.address} has not answered within {timeout_s or self._timeout_s:g} s"
            ) from None
        _, position = decode_response_header(
            answer, 0, len(answer), api_key=request.API_KEY, version=version
        )
        return answer[position:]

    # ── agreeing on versions ─────────────────────────────────────────────────────────────────────
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
            code = ErrorCode(response.error_code)
            raise ProtocolError(code, f"{self.address} does not say what it speaks")
        self._versions = {
            api.api_key: VersionRange(api.min_version, api.max_version) for api in response.api_keys
        }

    # ── the socket ───────────────────────────────────────────────────────────────────────────────
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """For asyncio."""
        self._buffer += data
        while len(self._buffer) >= _SIZE.size:
            (size,) = _SIZE.unpack_from(self._buffer)
            if not _SIZE.size <= size <= FRAME_BYTES_MAX:
                self._lose(f"{self.address} does not speak Kafka's protocol")
                return
            end = _SIZE.size + size
            if len(self._buffer) < end:
                return
            frame = bytes(memoryview(self._buffer)[_SIZE.size : end])
            del self._buffer[:end]
            self._answered(memoryview(frame))

    def _answered(self, frame: memoryview) -> None:
        (correlation_id,) = _SIZE.unpack_from(frame)
        waiting = self._waiting.pop(correlation_id, None)
        if waiting is None:
            self._lose(f"{self.address} answered what it was not asked")
        elif not waiting.done():  # whoever asked may have given up
            waiting.set_result(frame)

    def connection_lost(self, error: Exception | None) -> None:
        """For asyncio."""
        self._lose(f"the connection to {self.address} ended: {error or 'closed by the other side'}")
        if not self._closed.done():
            self._closed.set_result(None)

    def _lose(self, why: str) -> None:
        """Everybody who waits learns why."""
        if self._lost is None:
            self._lost = why
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(ConnectionLostError(why))
        if self._transport is not None:
            self._transport.abort()

    def _unreadable(self, why: str) -> ProtocolError:
        return ProtocolError(
            ErrorCode.INVALID_REQUEST, f"the answer of {self.address} cannot be read: {why}"
        )

    async def close(self) -> None:
        """Let go; who still waits gets ConnectionLostError. Closing twice is fine."""
        self._lose(f"the connection to {self.address} was closed here")
        if self._transport is not None:
            await self._closed


async def connect(
    host: str, port: int, *, client_id: str = _SOFTWARE, timeout_s: float = 30.0
) -> Connection:
    """Connect and agree on versions. Raises NodeError, and ProtocolError for no Kafka broker.

    `timeout_s` bounds the connecting, and each call that does not say otherwise.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, connection = await loop.create_connection(
                lambda: Connection(address, client_id, timeout_s), host, port
            )
    except TimeoutError:
        raise NodeUnreachableError(
            f"cannot connect to {address}: no answer within {timeout_s:g} s"
        ) from None
    except OSError as error:
        raise NodeUnreachableError(f"cannot connect to {address}: {error}") from error
    try:
        await connection.negotiate()
    except BaseException:
        await connection.close()
        raise
    return connection
