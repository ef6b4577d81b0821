"""One connection: versions, matching of answers, and how it fails."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.client.connection import Connection, connect
from ottla.client.errors import AnswerTimeoutError, ConnectionLostError, NodeUnreachableError
from ottla.wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from ottla.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from ottla.wire.schema import Message
from ottla.wire.versions import VersionRange
from tests.support.scripted_broker import ScriptedBroker, serving


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 10))

    return run


def metadata(request: MetadataRequest) -> Message:
    """Answers with the name that was asked for as the cluster's id."""
    assert request.topics is not None
    return MetadataResponse(cluster_id=request.topics[0].name if request.topics else "none")


def about(name: str) -> MetadataRequest:

    return MetadataRequest(topics=[MetadataRequestTopic(name=name)])


async def to(broker: ScriptedBroker, timeout_s: float = 5.0) -> Connection:
    return await connect("127.0.0.1", broker.port, timeout_s=timeout_s)


@on_loop
async def test_the_highest_common_version_is_asked() -> None:
    versions = {MetadataRequest: VersionRange(0, 9)}
    async with serving(ScriptedBroker({MetadataRequest: metadata}, versions=versions)) as broker:
        connection = await to(broker)
        response = await connection.call(about("x"), MetadataResponse)
        assert response.cluster_id == "x"
        assert connection.version_of(MetadataRequest) == 9
        assert [version for _, version in broker.asked] == [9]
        await connection.close()


@on_loop
async def test_a_node_that_speaks_only_the_first_api_versions_is_understood() -> None:
    broker = ScriptedBroker({MetadataRequest: metadata}, api_versions=VersionRange(0, 2))
    async with serving(broker):
        connection = await to(broker)
        assert (await connection.call(about("x"), MetadataResponse)).cluster_id == "x"
        await connection.close()


@on_loop
async def test_what_a_node_does_not_have_is_not_asked() -> None:
    versions = {MetadataRequest: VersionRange(99, 100)}
    async with serving(ScriptedBroker({MetadataRequest: metadata}, versions=versions)) as broker:
        connection = await to(broker)
        request = DescribeClusterRequest(include_cluster_authorized_operations=False)
        with pytest.raises(ProtocolError) as error:
            await connection.call(request, DescribeClusterResponse)
        assert error.value.code == ErrorCode.UNSUPPORTED_VERSION
        with pytest.raises(ProtocolError):
            await connection.call(about("x"), MetadataResponse)
        assert broker.asked == []
        await connection.close()


@on_loop
async def test_many_requests_may_be_on_their_way() -> None:
    async with serving(ScriptedBroker({MetadataRequest: metadata})) as broker:
        connection = await to(broker)
        names = [f"n{number}" for number in range(100)]
        answers = await asyncio.gather(
            *(connection.call(about(name), MetadataResponse) for name in names)
        )
        assert [answer.cluster_id for answer in answers] == names
        await connection.close()


@on_loop
async def test_an_answer_that_does_not_come_is_given_up_and_the_next_still_matches() -> None:
    release = asyncio.Event()

    class SlowBroker(ScriptedBroker):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            held = _HeldWriter(writer, release)
            await super().serve(reader, held)  # type: ignore[arg-type]  # the parts that are used

    async with serving(SlowBroker({MetadataRequest: metadata})) as broker:
        connecting = asyncio.ensure_future(to(broker))
        release.set()
        connection = await connecting
        release.clear()
        with pytest.raises(AnswerTimeoutError, match="has not answered within"):
            await connection.call(about("late"), MetadataResponse, timeout_s=0.01)
        release.set()
        assert (await connection.call(about("next"), MetadataResponse)).cluster_id == "next"
        await connection.close()


class _HeldWriter:
    """Writes only while a door is open."""

    def __init__(self, writer: asyncio.StreamWriter, door: asyncio.Event) -> None:
        self._writer = writer
        self._door = door
        self._held = b""

    def write(self, data: bytes) -> None:
        self._held += data

    async def drain(self) -> None:
        await self._door.wait()
        held, self._held = self._held, b""
        self._writer.write(held)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


@on_loop
async def test_a_connection_that_ends_fails_all_who_wait_and_all_who_come() -> None:
    async with serving(ScriptedBroker({MetadataRequest: lambda request: None})) as broker:
        connection = await to(broker)
        outcomes = await asyncio.gather(
            *(connection.call(about("x"), MetadataResponse) for _ in range(3)),
            return_exceptions=True,
        )
        assert all(isinstance(outcome, ConnectionLostError) for outcome in outcomes)
        assert connection.is_lost
        with pytest.raises(ConnectionLostError):
            await connection.call(about("x"), MetadataResponse)
        await connection.close()
        await connection.close()


@on_loop
async def test_nobody_listening_is_told_with_the_address() -> None:
    async with serving(ScriptedBroker({})) as broker:
        port = broker.port
    with pytest.raises(NodeUnreachableError, match=f"cannot connect to 127.0.0.1:{port}"):
        await connect("127.0.0.1", port)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">i", 2) + b"xx",
        struct.pack(">ii", 8, 77) + b"xxxx",
        struct.pack(">ii", 4, 0),
        struct.pack(">iih", 12, 0, 0) + b"\xff" * 6,
        b"",
    ],
)
@on_loop
async def test_something_else_on_the_port_is_an_error_and_not_a_hang(reply: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises((ConnectionLostError, ProtocolError)):
        await connect("127.0.0.1", port, timeout_s=5)
    server.close()
    await server.wait_closed()
