"""From a frame to its handler: the one place that knows how a request is refused.

What cannot be read closes the connection, as Apache Kafka does: after a broken frame nothing that
follows on the connection can be trusted. The log says what was wrong with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING, cast

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.guarded_data import take_out_denied
from ottla.broker.guarding import guarded_apis
from ottla.broker.handlers import Call, Handler, served_range
from ottla.broker.metadata_answers import AnswerKey, MetadataAnswers
from ottla.broker.meter import Meter
from ottla.broker.replies import Exchange
from ottla.broker.routes import Routes
from ottla.broker.served_apis import served_apis
from ottla.broker.transactional_produce import TransactionalProduce
from ottla.transport.connection import Connection, Reply
from ottla.wire.headers import RequestHeader, decode_request_header
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse
from ottla.wire.messages.produce import ProduceRequest, TopicProduceResponse
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
        served = served_apis(broker.settings)
        self._authorizer = broker.authorizer
        if broker.authorizer is not None:
            served = guarded_apis(served, broker.authorizer)
        self._is_counted = broker.requests is not None
        # When the first frame of this read event was seen, for the others were there, too; or 0.
        self._arrived_ns = 0
        self._routes = Routes(served, broker.requests)
        self._quotas = broker.quotas
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
        self._arrived_ns = 0
        try:
            self._commit()
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
        quotas = self._quotas
        started_ns = 0
        if quotas.active:
            started_ns = perf_counter_ns()
        elif self._is_counted:
            started_ns = self._arrived_ns = self._arrived_ns or perf_counter_ns()
        header, body = decode_request_header(buffer, start, end)
        route = self._routes.find(header)
        if route is None:
            return self._refuse_version(connection, header, started_ns)
        meter = None
        if quotas.active:
            meter = Meter(
                quotas, header, connection, started_ns=started_ns, request_bytes=end - start
            )
        exchange = Exchange(
            header, Reply(connection), started_ns, end - start, route.account, meter
        )
        key = None
        if header.api_key == METADATA and meter is None and self._authorizer is None:
            key = _answer_key(header, connection, buffer[body:end])
            known = self._metadata_answers.find(
                self._broker.metadata.image, key, header.correlation_id
            )
            if known is not None:
                connection.expect(exchange.reply)
                exchange.send([known])
                return True
        # Bytes after the request are ignored, as Apache Kafka ignores them: librdkafka sends three
        # when it asks for all topics (https://github.com/confluentinc/librdkafka/issues/5049).
        request, _ = route.decode(buffer, body, end)
        connection.expect(exchange.reply)
        if header.api_key == PRODUCE:
            return self._produce(cast(ProduceRequest, request), exchange)
        # Whatever comes after a produce must see what it wrote.
        self._commit()
        if header.api_key == FETCH:
            return self._broker.fetch.frame(cast(FetchRequest, request), exchange)
        return self._call(route.handler, request, exchange, key)

    def _produce(self, request: ProduceRequest, exchange: Exchange) -> bool:
        go_on = True
        denied: Sequence[TopicProduceResponse] = ()
        if self._authorizer is not None:
            denied = take_out_denied(request, exchange, self._authorizer)
        if request.transactional_id is not None:
            go_on = self._transactional_produce.frame(request, exchange, denied)
        else:
            self._broker.produce.frame(request, exchange, None, denied)
        if exchange.meter is not None:
            self._quotas.staged(exchange.meter)
        return go_on

    def _commit(self) -> None:
        """Write what the produce requests of this read event brought, and answer them."""
        if self._quotas.active:
            self._quotas.commit(self._broker.produce.commit)
        else:
            self._broker.produce.commit()

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
        response = handler.function(request, call, self._broker)
        self._note_refusal(exchange, response)
        exchange.answer(response)
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
            work = handler.function(request, call, self._broker)
            meter = exchange.meter
            response = await (work if meter is None else meter.timed(work))
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
            self._note_refusal(exchange, response)
            exchange.send(frame)

    def _note_refusal(self, exchange: Exchange, response: Message) -> None:
        """Count an answer that is an error as a whole."""
        if self._is_counted and (error := getattr(response, "error_code", 0)):
            exchange.count_refusal(error)

    def _refuse_version(
        self, connection: Connection, header: RequestHeader, started_ns: int
    ) -> bool:
        """Answer an ApiVersions of an unknown version in version 0 (KIP-511); refuse all else."""
        handler = self._routes.handler(header.api_key)
        if header.api_key == API_VERSIONS and handler is not None:
            oldest = RequestHeader(API_VERSIONS, 0, header.correlation_id, None)
            account = self._routes.make(handler, 0).account
            exchange = Exchange(oldest, Reply(connection), started_ns, 0, account)
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
