"""From a frame to its handler: the one place that knows how a request is refused.

What cannot be read closes the connection, as Apache Kafka does: after a broken frame nothing that
follows on the connection can be trusted. The log says what was wrong with it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.handlers import Call, Handler, served_range
from ottla.broker.metadata_answers import AnswerKey, MetadataAnswers
from ottla.broker.replies import Exchange
from ottla.broker.served_apis import served_apis
from ottla.broker.transactional_produce import TransactionalProduce
from ottla.transport.connection import Connection, Reply
from ottla.wire.compiler import codec
from ottla.wire.headers import RequestHeader, decode_request_header
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.schema import Message

if TYPE_CHECKING:
    from ottla.broker.broker import Broker

log = logging.getLogger(__name__)

PRODUCE = ProduceRequest.API_KEY
FETCH = FetchRequest.API_KEY
METADATA = MetadataRequest.API_KEY
API_VERSIONS = ApiVersionsRequest.API_KEY
BUG = "a bug in the broker: please report it with this traceback"


class Dispatcher:
    """Serves the frames of every listener of one broker (a `transport.FrameHandler`)."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._served = served_apis(broker.settings)
        self._tasks: set[asyncio.Task[None]] = set()
        self._metadata_answers = MetadataAnswers()
        self._transactional_produce = TransactionalProduce(broker, _blame_ourselves)

    def frame(self, connection: Connection, buffer: memoryview, start: int, end: int) -> bool:
        """See `transport.connection.FrameHandler`."""
        try:
            return self._serve(connection, buffer, start, end)
        except ProtocolError as error:
            connection.refuse(error.message)
        except Exception:  # noqa: BLE001 # see `_blame_ourselves`; what is staged must still be written
            _blame_ourselves(connection)
        return False

    def end_of_read(self) -> None:
        """See `transport.connection.FrameHandler`."""
        try:
            self._broker.produce.commit()
        except Exception:
            # Some clients of this read event get no answer and will ask again; the others go on.
            log.exception(BUG)

    def closed(self, connection: Connection) -> None:
        """See `transport.connection.FrameHandler`."""
        self._broker.fetch.closed(connection)

    async def stop(self) -> None:
        """Wait for the requests that are being served."""
        tasks = self._tasks | self._transactional_produce.tasks
        if tasks:
            await asyncio.wait(tasks)

    def _serve(self, connection: Connection, buffer: memoryview, start: int, end: int) -> bool:
        header, body = decode_request_header(buffer, start, end)
        handler = self._served.get(header.api_key)
        if handler is None or header.api_version not in handler.versions:
            return self._refuse_version(connection, header, handler)
        key = None
        if header.api_key == METADATA:
            key = _answer_key(header, connection, buffer[body:end])
            known = self._metadata_answers.find(
                self._broker.metadata.image, key, header.correlation_id
            )
            if known is not None:
                connection.expect(Reply(connection, [known]))
                return True
        # Bytes after the request are ignored, as Apache Kafka ignores them: librdkafka sends three
        # when it asks for all topics (https://github.com/confluentinc/librdkafka/issues/5049).
        request, _ = codec(handler.request_type, header.api_version).decode(buffer, body, end)
        exchange = Exchange(header, Reply(connection))
        connection.expect(exchange.reply)
        if header.api_key == PRODUCE:
            return self._produce(cast(ProduceRequest, request), exchange)
        # Whatever comes after a produce must see what it wrote.
        self._broker.produce.commit()
        if header.api_key == FETCH:
            return self._broker.fetch.frame(cast(FetchRequest, request), exchange)
        return self._call(handler, request, exchange, key)

    def _produce(self, request: ProduceRequest, exchange: Exchange) -> bool:
        if request.transactional_id is not None:
            return self._transactional_produce.frame(request, exchange)
        self._broker.produce.frame(request, exchange)
        return True

    def _call(
        self, handler: Handler, request: Message, exchange: Exchange, key: AnswerKey | None
    ) -> bool:
        """Run a handler: at once, or as a task where it may wait."""
        assert handler.function is not None
        call = Call(exchange.version, exchange.header.client_id, exchange.connection)
        if handler.is_async:
            task = asyncio.ensure_future(self._call_async(handler, request, call, exchange, key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return False
        exchange.answer(handler.function(request, call, self._broker))
        return True

    async def _call_async(
        self,
        handler: Handler,
        request: Message,
        call: Call,
        exchange: Exchange,
        key: AnswerKey | None,
    ) -> None:
        assert handler.function is not None
        try:
            response = await handler.function(request, call, self._broker)
            frame = exchange.encode(response)
        except ProtocolError as error:
            call.connection.refuse(error.message)
        except Exception:  # noqa: BLE001 # see `_blame_ourselves`
            _blame_ourselves(call.connection)
        else:
            if key is not None:
                # Before it is sent: the connection may join what follows to the frame's end.
                self._metadata_answers.keep(
                    self._broker.metadata.image, key, cast(MetadataResponse, response), frame
                )
            exchange.reply.complete(frame)

    def _refuse_version(
        self, connection: Connection, header: RequestHeader, handler: Handler | None
    ) -> bool:
        """Answer an ApiVersions of an unknown version in version 0 (KIP-511); refuse all else."""
        if header.api_key == API_VERSIONS and handler is not None:
            oldest = RequestHeader(API_VERSIONS, 0, header.correlation_id, None)
            exchange = Exchange(oldest, Reply(connection))
            connection.expect(exchange.reply)
            exchange.answer(
                ApiVersionsResponse(
                    error_code=ErrorCode.UNSUPPORTED_VERSION,
                    api_keys=[served_range(handler)],
                )
            )
            return True
        served = "not served" if handler is None else f"served in {handler.versions}"
        connection.refuse(
            f"version {header.api_version} of API {header.api_key} was asked for; it is {served}"
        )
        return False


def _answer_key(header: RequestHeader, connection: Connection, body: memoryview) -> AnswerKey:
    """All that the answer to a Metadata request depends on, beside the image."""
    return header.api_version, connection.listener_name, connection.local_address, bytes(body)


def _blame_ourselves(connection: Connection) -> None:
    """A bug of ours: the log has the traceback, the client sees its connection close.

    Other connections, and what they have staged, go on.
    """
    log.exception(BUG)
    connection.refuse("the broker failed to serve its request; the traceback is above")
