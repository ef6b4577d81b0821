"""Frames out of bytes, answers in order, and what a connection may hold."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from typing import Any, cast

import pytest

from ottla.base.limits import (
    READ_SCRATCH_BYTES,
    RESPONSES_QUEUED_PER_CONNECTION_MAX,
    SMALL_FRAME_BYTES,
)
from ottla.transport.connection import Connection, Owner, Reply, merge_small
from ottla.transport.read_budget import ReadBudget
from tests.support.fake_loop import FakeLoop

REQUEST_BYTES_MAX = 4 << 20
WAITS = ord("w")
"""A frame that starts with this byte is answered later, by the test."""


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


class EchoHandler:
    """Answers each frame with itself; those that start with `w` when the test says so."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.later: list[tuple[Reply, bytes]] = []
        self.gone: list[Connection] = []
        self.reads = 0
        # Whether a frame that is answered later holds up those behind it.
        self.holds = True

    def frame(self, connection: Connection, buffer: memoryview, start: int, end: int) -> bool:
        body = bytes(buffer[start:end])
        self.seen.append(body)
        reply = Reply(connection)
        connection.expect(reply)
        if body[0] == WAITS:
            self.later.append((reply, body))
            return not self.holds
        reply.complete([bytearray(frame(body))])
        return True

    def answer_later_ones(self) -> None:
        while self.later:
            reply, body = self.later.pop(0)
            reply.complete([bytearray(frame(body))])

    def end_of_read(self) -> None:
        self.reads += 1

    def closed(self, connection: Connection) -> None:
        self.gone.append(connection)


class Clock:
    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        return self.ms

    def monotonic_ms(self) -> int:
        return self.ms


class FakeListener:
    """What a connection needs of its listener."""

    name = "PLAINTEXT"

    def __init__(self, budget_bytes: int = 64 << 20) -> None:
        self.handler = EchoHandler()
        self.scratch = memoryview(bytearray(READ_SCRATCH_BYTES))
        self.budget = ReadBudget(budget_bytes)
        self.request_bytes_max = REQUEST_BYTES_MAX
        self.clock = Clock()
        self.loop = FakeLoop()
        self.shortages = 0

    def admit(self, connection: Connection) -> bool:
        return True

    def left(self, connection: Connection) -> None:
        self.handler.closed(connection)

    def memory_is_short(self) -> None:
        self.shortages += 1


class PipeTransport:
    """A transport whose socket is the writing end of a pipe."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)
        self.reading = True
        self.aborted = False

    def fileno(self) -> int:
        return self.write_fd

    def get_extra_info(self, name: str) -> Any:
        return self if name == "socket" else ("127.0.0.1", 9092)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True


class Client:
    """One connection and its far end."""

    def __init__(self, listener: FakeListener) -> None:
        self.listener = listener
        self.transport = PipeTransport()
        self.connection = Connection(cast(Owner, listener))
        self.connection.connection_made(cast(asyncio.Transport, self.transport))

    def send(self, data: bytes) -> None:
        """Deliver bytes as an event loop does: never while paused, never more than a buffer."""
        while data and self.transport.reading and not self.transport.aborted:
            buffer = self.connection.get_buffer(-1)
            taken = min(len(buffer), len(data))
            assert taken > 0
            buffer[:taken] = data[:taken]
            self.connection.buffer_updated(taken)
            data = data[taken:]

    def is_read(self) -> bool:
        """Whether the connection wants more bytes."""
        return self.transport.reading

    def is_closed(self) -> bool:
        return self.transport.aborted

    def received(self) -> bytes:
        try:
            return os.read(self.transport.read_fd, 1 << 20)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self.connection.connection_lost(None)
        os.close(self.transport.read_fd)
        os.close(self.transport.write_fd)


@pytest.fixture
def listener() -> FakeListener:
    return FakeListener()


@pytest.fixture
def client(listener: FakeListener) -> Iterator[Client]:
    made = Client(listener)
    yield made
    made.close()


def test_pipelined_frames_are_answered_with_one_commit_and_in_order(
    client: Client, listener: FakeListener
) -> None:
    client.send(frame(b"one") + frame(b"two") + frame(b"three"))
    assert client.received() == frame(b"one") + frame(b"two") + frame(b"three")
    assert listener.handler.reads == 1


@pytest.mark.parametrize("seed", range(5))
def test_frames_come_out_the_same_however_they_are_cut(seed: int) -> None:
    rng = random.Random(seed)
    listener = FakeListener()
    client = Client(listener)
    sizes = [1, 3, 200, SMALL_FRAME_BYTES, SMALL_FRAME_BYTES + 1, 300_000, 1_500_000, 7]
    bodies = [bytes([rng.randrange(1, 100)]) * size for size in sizes]
    stream = b"".join(map(frame, bodies))
    received = b""
    while stream:
        cut = min(len(stream), rng.choice([1, 2, 5, 1000, 70_000, 400_000]))
        client.send(stream[:cut])
        stream = stream[cut:]
        while chunk := client.received():
            received += chunk
            listener.loop.turn()
        if cut < 3 and len(stream) > 100_000:
            cut = 50_000
            client.send(stream[:cut])
            stream = stream[cut:]
    assert listener.handler.seen == bodies
    assert listener.budget.lent_bytes == 0
    client.close()


def test_later_requests_wait_for_an_answer_that_comes_later(
    client: Client, listener: FakeListener
) -> None:
    client.send(frame(b"first") + frame(b"wait") + frame(b"after"))
    assert client.received() == frame(b"first")
    assert listener.handler.seen == [b"first", b"wait"]
    assert not client.is_read(), "what is kept for later has a bound: the next read"
    reply, body = listener.handler.later.pop()
    reply.complete([bytearray(frame(body))])
    listener.loop.turn()
    assert client.received() == frame(b"wait") + frame(b"after")
    assert client.is_read()


def test_a_waiting_connection_keeps_what_arrives_meanwhile(
    client: Client, listener: FakeListener
) -> None:
    client.send(frame(b"wait"))
    assert client.is_read(), "so that a client that goes away is noticed"
    client.send(frame(b"after")[:6])
    assert not client.is_read()
    reply, body = listener.handler.later.pop()
    reply.complete([bytearray(frame(body))])
    listener.loop.turn()
    client.send(frame(b"after")[6:])
    assert client.received() == frame(b"wait") + frame(b"after")


@pytest.mark.parametrize("size", [0, -1, REQUEST_BYTES_MAX + 1, 0x47455420])
def test_a_frame_of_an_impossible_size_closes_the_connection_before_any_allocation(
    client: Client, listener: FakeListener, size: int
) -> None:
    client.send(size.to_bytes(4, "big", signed=True) + b"xxxx")
    assert client.transport.aborted
    assert listener.handler.seen == []
    assert listener.budget.lent_bytes == 0


def test_memory_follows_what_arrived_and_not_what_was_claimed(
    client: Client, listener: FakeListener
) -> None:
    client.send(frame(bytes([1]) * 4_000_000)[:100])
    assert listener.budget.lent_bytes <= 64 * 1024


def test_a_connection_without_budget_is_not_read_and_goes_on_when_there_is_some() -> None:
    listener = FakeListener(budget_bytes=200 * 1024)
    holder, waiter = Client(listener), Client(listener)
    large = frame(b"h" * 120_000)
    holder.send(large[:60_000])
    waiting = frame(b"k" * 120_000)
    waiter.send(waiting[:50_000])
    assert not waiter.is_read()
    assert listener.shortages == 1
    holder.send(large[60_000:])
    assert holder.received()
    waiter.send(waiting[50_000:])
    assert listener.handler.seen == [b"h" * 120_000, b"k" * 120_000]
    holder.close()
    waiter.close()
    assert listener.budget.lent_bytes == 0


def test_a_lost_connection_gives_its_memory_back(listener: FakeListener) -> None:
    client = Client(listener)
    client.send(frame(bytes([1]) * 200_000)[:50_000])
    assert listener.budget.lent_bytes > 0
    client.close()
    assert listener.budget.lent_bytes == 0
    assert listener.handler.gone == [client.connection]


def test_a_client_that_takes_no_answers_is_not_read_on(client: Client) -> None:
    body = b"x" * 30_000
    for _ in range(400):
        client.send(frame(body))
    assert not client.is_read()
    while client.received():
        client.listener.loop.turn()
    assert client.is_read()


def test_finish_sends_what_is_owed_and_then_closes(client: Client, listener: FakeListener) -> None:
    client.send(frame(b"wait"))
    client.connection.finish()
    assert not client.is_closed()
    reply, body = listener.handler.later.pop()
    reply.complete([bytearray(frame(body))])
    assert client.is_closed()
    assert client.received() == frame(b"wait")


def test_small_segments_are_joined_and_large_ones_left_alone() -> None:
    large = b"L" * 100_000
    merged = merge_small([bytearray(b"a"), bytearray(b"b"), large, bytearray(b"c")])
    assert [bytes(segment) for segment in merged] == [b"ab", large, b"c"]  # type: ignore[arg-type]  # no regions among them


def start_crowded_and_short_of_memory(listener: FakeListener) -> tuple[Client, Client, bytes]:
    """Who holds the memory; a client that is owed too many answers and has begun a large frame;
    the rest of that frame."""
    holder, waiter = Client(listener), Client(listener)
    holder.send(frame(b"h" * 120_000)[:60_000])
    listener.handler.holds = False
    large = frame(b"k" * 120_000)
    waiter.send(frame(b"wait") * (RESPONSES_QUEUED_PER_CONNECTION_MAX + 1) + large[:50_000])
    assert listener.budget.waiting == 1
    assert not waiter.is_read()
    return holder, waiter, large[50_000:]


def test_memory_that_comes_free_lets_no_client_go_on_that_is_owed_too_much() -> None:
    listener = FakeListener(budget_bytes=200 * 1024)
    holder, waiter, rest = start_crowded_and_short_of_memory(listener)
    holder.close()
    assert not waiter.is_read()
    listener.handler.answer_later_ones()
    listener.loop.turn()
    waiter.send(rest)
    assert listener.handler.seen[-1] == b"k" * 120_000
    waiter.close()


def test_a_client_that_has_its_answers_still_waits_for_memory_and_only_once() -> None:
    listener = FakeListener(budget_bytes=200 * 1024)
    holder, waiter, rest = start_crowded_and_short_of_memory(listener)
    listener.handler.answer_later_ones()
    listener.loop.turn()
    assert listener.budget.waiting == 1
    assert not waiter.is_read()
    holder.close()
    assert listener.budget.waiting == 0
    waiter.send(rest)
    assert listener.handler.seen[-1] == b"k" * 120_000
    waiter.close()


# -- not listening -------------------------------------------------------------------------------


def test_a_muted_peer_gets_what_it_is_owed_and_is_heard_later(
    client: Client, listener: FakeListener
) -> None:
    client.send(frame(b"wait"))
    client.connection.mute(1000)
    listener.loop.turn()
    listener.handler.answer_later_ones()
    assert client.received() == frame(b"wait")
    assert not client.is_read()
    listener.loop.advance(0.999)
    assert not client.is_read()
    listener.loop.advance(0.001)
    assert client.is_read()
    client.send(frame(b"again"))
    assert client.received() == frame(b"again")


def test_a_peer_that_is_muted_inside_a_read_has_its_later_frames_served_later(
    client: Client, listener: FakeListener
) -> None:
    handler = listener.handler
    serve = handler.frame

    def mute_after_first(connection: Connection, buffer: memoryview, start: int, end: int) -> bool:
        if not handler.seen:
            connection.mute(500)
        return serve(connection, buffer, start, end)

    handler.frame = mute_after_first  # type: ignore[method-assign]  # for this test
    client.send(frame(b"one") + frame(b"two"))
    assert handler.seen == [b"one"]
    assert client.received() == frame(b"one")
    listener.loop.advance(0.5)
    assert handler.seen == [b"one", b"two"]
    assert client.is_read()


def test_the_longest_of_several_waits_counts(client: Client, listener: FakeListener) -> None:
    client.connection.mute(1000)
    client.connection.mute(200)
    client.connection.mute(1500)
    listener.loop.advance(1.4)
    assert not client.is_read()
    listener.loop.advance(0.1)
    assert client.is_read()


def test_a_wait_that_is_over_does_not_wake_who_still_waits_for_an_answer(
    client: Client, listener: FakeListener
) -> None:
    client.send(frame(b"wait") + frame(b"next"))
    client.connection.mute(100)
    listener.loop.advance(0.1)
    assert listener.handler.seen == [b"wait"]
    listener.handler.answer_later_ones()
    listener.loop.turn()
    assert listener.handler.seen == [b"wait", b"next"]


def test_a_connection_that_goes_forgets_its_wait(client: Client, listener: FakeListener) -> None:
    client.connection.mute(100)
    client.connection.connection_lost(None)
    assert all(timer.cancelled for timer in listener.loop.timers)


def test_a_peer_that_is_muted_inside_a_large_frame_sends_no_more_of_it(
    client: Client, listener: FakeListener
) -> None:
    whole = frame(b"k" * 200_000)
    client.send(whole[:100_000])
    client.connection.mute(100)
    assert not client.is_read()  # else the whole of it would be copied, and counted nowhere
    listener.loop.advance(0.1)
    assert client.is_read()
    client.send(whole[100_000:])
    assert listener.handler.seen == [b"k" * 200_000]


class Postponing(FakeListener):
    """Lets nobody be served at once."""

    def admit(self, connection: Connection) -> bool:
        connection.mute(100)
        return True


def test_a_newcomer_is_paused_when_its_transport_can_and_keeps_what_comes_before() -> None:
    listener = Postponing()
    client = Client(listener)
    assert client.is_read()
    client.send(frame(b"one") + frame(b"two"))
    assert listener.handler.seen == []
    assert not client.is_read()
    listener.loop.advance(0.1)
    assert listener.handler.seen == [b"one", b"two"]
    client.close()
    silent = Client(listener)
    listener.loop.turn()
    assert not silent.is_read()
    silent.close()
