"""Peers that send what no client would: noise, other protocols, requests with broken parts.

Everything comes from one random source, so a seed tells what was sent, if not when.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ottla.base.errors import ProtocolError
from ottla.base.limits import MIB
from ottla.wire import messages
from ottla.wire.compiler import codec
from ottla.wire.headers import RequestHeader, decode_request_header, encode_request_header
from ottla.wire.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from ottla.wire.records.batch import build_batch
from ottla.wire.records.compression import Codec
from ottla.wire.records.record import Record

SAMPLES = Path(__file__).parents[1] / "golden" / "wire" / "samples.jsonl"
FRAME_SIZE = struct.Struct(">i")
ANSWER_SECONDS = 0.03
"""How long to look for an answer, or for the end of the connection."""
CRAWLERS = 20
BROKEN_BATCH_TOPIC = "broken"
BYTE_SECONDS = 0.1

EDGES = (-(2**63), -(2**31), -(2**15), -129, -2, -1, 0, 1, 2, 127, 2**15 - 1, 2**31 - 1, 2**63 - 1)
STRANGE_NAMES = ("", ".", "..", "../../escaped", "a/b", "a\0b", "é", "x" * 249, "x" * 30_000, "__x")
HTTP = b"GET / HTTP/1.1\r\nHost: localhost:9092\r\nUser-Agent: a lost browser\r\n\r\n"
TLS_HELLO = bytes.fromhex("16030102000100") + bytes(range(1, 256))

messages.load_all()


def framed(request: bytes | bytearray) -> bytes:
    return FRAME_SIZE.pack(len(request)) + request


class Mischief:
    """An endless source of bytes to send."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        samples = map(json.loads, SAMPLES.read_text().splitlines())
        self._valid = [
            bytes.fromhex(sample["request"])
            for sample in samples
            if sample["api_key"] in messages.requests
        ]
        self._ways: list[Callable[[], bytes]] = [
            self._noise,
            self._framed_noise,
            self._truncated,
            self._mutated,
            self._respliced,
            self._with_strange_parts,
            self._broken_batch,
            self._lying_size,
            self._valid_then_noise,
            lambda: HTTP,
            lambda: TLS_HELLO,
        ]

    def next(self) -> bytes:
        return self._rng.choice(self._ways)()

    def valid(self) -> bytes:
        """A whole request as some client once sent it."""
        return framed(self._rng.choice(self._valid))

    def _noise(self) -> bytes:
        return self._rng.randbytes(self._rng.choice((1, 3, 4, 5, 17, 400, 70_000)))

    def _framed_noise(self) -> bytes:
        return framed(self._noise())

    def _truncated(self) -> bytes:
        whole = self.valid()
        return whole[: self._rng.randrange(1, len(whole))]

    def _mutated(self) -> bytes:
        return framed(self._scratch(self._rng.choice(self._valid)))

    def _scratch(self, good: bytes | bytearray) -> bytes:
        """Change a few bytes."""
        bad = bytearray(good)
        for _ in range(self._rng.choice((1, 1, 2, 8))):
            bad[self._rng.randrange(len(bad))] = self._rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        return bytes(bad)

    def _respliced(self) -> bytes:
        """Something cut out or put in; the frame's size is right again."""
        good = self._rng.choice(self._valid)
        start = self._rng.randrange(len(good))
        stop = min(len(good), start + self._rng.choice((0, 1, 4, 40)))
        return framed(good[:start] + self._rng.randbytes(self._rng.choice((0, 1, 9))) + good[stop:])

    def _with_strange_parts(self) -> bytes:
        """A well-formed request that asks for nonsense."""
        buffer = memoryview(self._rng.choice(self._valid))
        header, position = decode_request_header(buffer, 0, len(buffer))
        spoken = codec(messages.requests[header.api_key], header.api_version)
        request, _ = spoken.decode(buffer, position, len(buffer))
        strange = self._estranged(request)
        try:
            return framed(encode_request_header(header) + spoken.encode(strange))
        except (ProtocolError, struct.error, OverflowError):
            return self._mutated()  # it cannot be said in this version

    def _estranged(self, value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            fields = {
                name: self._estranged(getattr(value, name)) for name in value.__struct_fields__
            }
            return type(value)(**fields)
        if isinstance(value, list):
            return [self._estranged(each) for each in value] * self._rng.choice((0, 1, 1, 1, 2))
        if self._rng.random() > 0.3:
            return value
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return self._rng.choice(EDGES)
        return self._rng.choice(STRANGE_NAMES) if isinstance(value, str) else value

    def _broken_batch(self) -> bytes:
        """Records of which something is wrong, in a request of which nothing is."""
        records = [Record(value=self._rng.randbytes(20)) for _ in range(1 + self._rng.randrange(5))]
        batch = build_batch(records, codec=self._rng.choice(list(Codec)))
        request = ProduceRequest(
            acks=self._rng.choice((-1, 0, 1, 5)),
            timeout_ms=self._rng.choice((-1, 0, 1000)),
            topic_data=[
                TopicProduceData(
                    name=BROKEN_BATCH_TOPIC,
                    partition_data=[PartitionProduceData(index=0, records=self._scratch(batch))],
                )
            ],
        )
        header = RequestHeader(ProduceRequest.API_KEY, 9, 1, "hostile")
        return framed(encode_request_header(header) + codec(ProduceRequest, 9).encode(request))

    def _lying_size(self) -> bytes:
        size = self._rng.choice((-(2**31), -1, 0, 1, 99 * MIB, 101 * MIB, 2**31 - 1))
        return FRAME_SIZE.pack(size) + self._noise()

    def _valid_then_noise(self) -> bytes:
        return b"".join(self.valid() for _ in range(self._rng.randrange(30))) + self._noise()


class Meeting(NamedTuple):
    """One connection: its own port, and whether the broker was the one who ended it."""

    port: int
    broker_closed: bool


class HostilePeers:
    """Threads that meet a broker again and again until they are told to stop."""

    def __init__(self, address: tuple[str, int], *, seed: int, peers: int) -> None:
        self.meetings: list[Meeting] = []
        self._address = address
        self._seed = seed
        self._peers = peers
        self._stopped = threading.Event()
        self._threads = ThreadPoolExecutor(peers + 1)
        self._lives: list[Future[None]] = []

    def start(self) -> None:
        for number in range(self._peers):
            source = Mischief(self._seed + number)
            self._lives.append(self._threads.submit(self._live, source))
        self._lives.append(self._threads.submit(self._crawl, Mischief(self._seed)))

    def stop(self) -> None:
        """End all peers. Raises what went wrong with them."""
        self._stopped.set()
        self._threads.shutdown()
        for life in self._lives:
            life.result()

    def _live(self, mischief: Mischief) -> None:
        while not self._stopped.is_set():
            self.meetings.append(self._meet(mischief.next()))
            self.meetings.append(self._meet(mischief.next(), half_close=True))

    def _meet(self, payload: bytes, *, half_close: bool = False) -> Meeting:
        with socket.create_connection(self._address, timeout=10) as peer:
            port: int = peer.getsockname()[1]
            try:
                peer.sendall(payload)
                if half_close:
                    peer.shutdown(socket.SHUT_WR)
                return Meeting(port, is_closed(peer) and not half_close)
            except OSError:  # it was closed while we still sent
                return Meeting(port, not half_close)

    def _crawl(self, mischief: Mischief) -> None:
        """Send requests so slowly that each takes seconds, several at a time."""
        crawlers = [Crawler(self._address, mischief, self.meetings) for _ in range(CRAWLERS)]
        try:
            while not self._stopped.wait(BYTE_SECONDS):
                for crawler in crawlers:
                    crawler.send_one_byte()
        finally:
            for crawler in crawlers:
                crawler.close()


class Crawler:
    """One connection that gives its requests byte by byte, and never reads an answer.

    It looks for no end of the connection either: its `meetings` do not say that the broker closed.
    """

    def __init__(
        self, address: tuple[str, int], mischief: Mischief, meetings: list[Meeting]
    ) -> None:
        self._address = address
        self._mischief = mischief
        self._meetings = meetings
        self._unsent = b""
        self._peer = self._meet()

    def _meet(self) -> socket.socket:
        peer = socket.create_connection(self._address, timeout=10)
        self._meetings.append(Meeting(peer.getsockname()[1], broker_closed=False))
        return peer

    def send_one_byte(self) -> None:
        if not self._unsent:
            self._unsent = self._mischief.valid()
        try:
            self._peer.send(self._unsent[:1])
            self._unsent = self._unsent[1:]
        except ConnectionError:  # that request was refused: begin anew
            self.close()
            self._unsent = b""
            self._peer = self._meet()

    def close(self) -> None:
        self._peer.close()


def is_closed(peer: socket.socket) -> bool:
    """Read what comes; whether the other side ended the connection meanwhile."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        peer.settimeout(left)
        try:
            if not peer.recv(1 << 16):
                return True
        except TimeoutError:
            return False
    return False
