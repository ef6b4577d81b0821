"""The sending half of a connection, over a pipe in place of a socket."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from ottla.base.limits import PREAD_BYTES_MAX
from ottla.transport.disk import LocalDisk
from ottla.transport.outbox import FileRegion, Outbox, Segment, file_segment
from tests.support.fake_loop import FakeLoop

PIPE_BYTES = 4096


class Wire:
    """An outbox, and the far end of what it writes to."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.write_fd, False)
        os.set_blocking(self.read_fd, False)
        fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.loop = FakeLoop()
        self.had_room = 0
        self.errors: list[OSError] = []
        self.outbox = Outbox(
            self.write_fd,
            cast(asyncio.AbstractEventLoop, self.loop),
            on_room=self._room,
            on_broken=self.errors.append,
        )

    def _room(self) -> None:
        self.had_room += 1

    def receive(self) -> bytes:
        if not select.select([self.read_fd], [], [], 0)[0]:
            return b""
        return os.read(self.read_fd, 1 << 20)

    def receive_all(self) -> bytes:
        """Read and let the outbox go on, until it has nothing left."""
        received = b""
        while chunk := self.receive():
            received += chunk
            self.loop.turn()
        return received

    def close(self) -> None:
        self.outbox.close()
        for fd in (self.read_fd, self.write_fd):
            os.close(fd)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def test_small_answers_leave_at_once(wire: Wire) -> None:
    wire.outbox.send([bytearray(b"one")])
    wire.outbox.send([bytearray(b"two"), b"three"])
    assert wire.receive() == b"onetwothree"
    assert not wire.outbox.waiting
    assert not wire.loop.writers


def test_what_the_socket_does_not_take_follows_in_order(wire: Wire) -> None:
    sent: list[Segment] = [
        bytearray(b"a" * 3000),
        b"b" * 9000,
        memoryview(b"c" * 3),
        bytearray(b"d" * 5000),
    ]
    wire.outbox.send(sent)
    wire.outbox.send([bytearray(b"e")])
    assert wire.outbox.waiting
    assert wire.receive_all() == b"a" * 3000 + b"b" * 9000 + b"ccc" + b"d" * 5000 + b"e"
    assert wire.outbox.queued_bytes == 0
    assert wire.had_room == 1
    assert not wire.loop.writers, "nobody watches a socket that has nothing to take"


def test_regions_of_files_are_sent_between_bytes(wire: Wire, tmp_path: Path) -> None:
    file = LocalDisk().open(str(tmp_path / "log"), create=True)
    content = os.urandom(50_000)
    file.append([content])
    wire.outbox.send([bytearray(b"<"), FileRegion(file, 1000, 40_000), b">"])
    assert wire.receive_all() == b"<" + content[1000:41_000] + b">"
    file.close()


def test_a_broken_pipe_is_told_once_and_ends_all_sending(wire: Wire) -> None:
    os.close(wire.read_fd)
    wire.outbox.send([bytearray(b"x")])
    wire.outbox.send([bytearray(b"y")])
    assert [type(error) for error in wire.errors] == [BrokenPipeError]
    assert wire.outbox.queued_bytes == 0
    wire.read_fd = os.open(os.devnull, os.O_RDONLY)


def test_a_region_that_the_file_no_longer_has_breaks_the_connection(
    wire: Wire, tmp_path: Path
) -> None:
    file = LocalDisk().open(str(tmp_path / "log"), create=True)
    file.append([b"short"])
    wire.outbox.send([FileRegion(file, 0, 100)])
    assert wire.receive() == b"short"
    wire.loop.turn()
    assert len(wire.errors) == 1
    file.close()


def test_small_regions_are_read_and_large_ones_stay_in_the_file(tmp_path: Path) -> None:
    file = LocalDisk().open(str(tmp_path / "log"), create=True)
    file.append([bytes(PREAD_BYTES_MAX + 1)])
    assert isinstance(file_segment(file, 0, PREAD_BYTES_MAX), bytes)
    assert isinstance(file_segment(file, 0, PREAD_BYTES_MAX + 1), FileRegion)
    file.close()
