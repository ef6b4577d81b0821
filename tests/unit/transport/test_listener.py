"""Which addresses a listener takes, and what it does with its connections when it stops."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ottla.base.errors import UserError
from ottla.base.limits import MIB
from ottla.quotas.connections import Admission
from ottla.transport.clock import SystemClock
from ottla.transport.connection import Connection, Reply
from ottla.transport.listener import Listener, ListenerLimits, ReadMemory, bind

GRACE_SECONDS = 30.0
ANSWER = b"x" * (16 * MIB)
"""More than the buffers of a socket take: the rest of it waits in the outbox."""
LIMITS = ListenerLimits(
    request_bytes_max=MIB,
    connections_max=10,
    connections_per_ip_max=10,
    idle_ms_max=-1,
    backlog=10,
    send_buffer_bytes=-1,
    receive_buffer_bytes=-1,
)


class LargeAnswers:
    """Answers each frame with `ANSWER`; tells when a connection is gone."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()

    def frame(self, connection: Connection, buffer: memoryview, start: int, end: int) -> bool:
        reply = Reply(connection)
        connection.expect(reply)
        reply.complete([ANSWER])
        self.asked.set()
        return True

    def end_of_read(self) -> None:
        pass

    def closed(self, connection: Connection) -> None:
        self.gone.set()


def test_a_stop_lets_answers_leave_also_where_all_clients_had_left_before() -> None:
    async def stop_with_an_answer_on_its_way() -> None:
        handler = LargeAnswers()
        listener = Listener("PLAINTEXT", handler, ReadMemory(MIB), LIMITS, SystemClock())
        listener.bind("127.0.0.1", 0)
        await listener.accept()
        _, first = await asyncio.open_connection(*listener.address)
        first.write(b"\0\0\0\1?")
        await handler.asked.wait()
        first.close()
        await handler.gone.wait()
        handler.asked.clear()
        reader, writer = await asyncio.open_connection(*listener.address)
        writer.write(b"\0\0\0\1?")
        await handler.asked.wait()
        stopping = asyncio.create_task(listener.stop(GRACE_SECONDS))
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        await stopping
        writer.close()

    asyncio.run(stop_with_an_answer_on_its_way())


def test_changed_limits_hold_for_those_who_come_later() -> None:
    async def connect_while_limits_change() -> None:
        handler = LargeAnswers()
        listener = Listener("PLAINTEXT", handler, ReadMemory(MIB), LIMITS, SystemClock())
        listener.bind("127.0.0.1", 0)
        await listener.accept()
        try:
            stays = await _admitted(listener)
            assert stays is not None
            listener.limit_connections(1, 10)
            assert await _admitted(listener) is None
            listener.limit_connections(10, 1)
            assert await _admitted(listener) is None
            listener.limit_connections(10, 1, {"127.0.0.1": 2})
            second = await _admitted(listener)
            assert second is not None
            assert await _admitted(listener) is None
            assert len(listener.connections) == 2  # and nobody was sent away
            assert (listener.accepted_count, listener.refused_count) == (2, 3)
            for writer in (stays, second):
                writer.close()
        finally:
            await listener.stop(0.0)

    asyncio.run(connect_while_limits_change())


def test_a_connection_may_have_to_wait_until_it_is_served_or_closed() -> None:
    async def connect() -> None:
        handler = LargeAnswers()
        listener = Listener("PLAINTEXT", handler, ReadMemory(MIB), LIMITS, SystemClock())
        later, never = Admission(may_stay=True, wait_ms=60), Admission(may_stay=False, wait_ms=60)
        admissions = [later, never, None]
        asked: list[str] = []

        def ask(address: str) -> Admission | None:
            asked.append(address)
            return admissions.pop(0)

        listener.ask_before_admitting(ask)
        listener.bind("127.0.0.1", 0)
        await listener.accept()
        loop = asyncio.get_running_loop()
        began = loop.time()
        _, writer = await asyncio.open_connection(*listener.address)
        writer.write(b"\0\0\0\1?")
        await handler.asked.wait()
        assert loop.time() - began >= 0.05
        turned_away, gone = await asyncio.open_connection(*listener.address)
        gone.write(b"\0\0\0\1?")
        with contextlib.suppress(ConnectionResetError):
            assert await turned_away.read() == b""
        assert asked == ["127.0.0.1"] * 2
        for end in (writer, gone):
            end.close()
        await listener.stop(0)

    asyncio.run(connect())


async def _admitted(listener: Listener) -> asyncio.StreamWriter | None:
    """A connection that is served, or None where the listener closes it."""
    reader, writer = await asyncio.open_connection(*listener.address)
    writer.write(b"\0\0\0\1?")
    with contextlib.suppress(ConnectionError):
        if await reader.read(1):
            return writer
    writer.close()
    return None


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "bücher..x"])
def test_a_name_that_no_host_can_have_is_refused_in_words(host: str) -> None:
    with pytest.raises(UserError, match=f"cannot listen on {host}:0: no such host"):
        bind(host, 0, backlog=1)
