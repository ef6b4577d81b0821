"""What do clients cost that do nothing, or that stop in the middle of a request?"""

from __future__ import annotations

import resource
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.report import Figure
from benchmarks.requests import batch_of, create_topic, produce_frame, receive
from tests.support.broker_process import BrokerProcess

IDLE = 2000
IDLE_MB_MAX = 10
STALLED = 500
STALLED_REQUEST_BYTES = 1_000_000
STALLED_SENT_BYTES = 700_000
READ_BUDGET_MB = 128
PINGS = 300


def run() -> Iterator[Figure]:
    """Idle connections first, then stalled ones beside a client that works."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, IDLE * 2)), hard))
    with BrokerProcess() as broker:
        create_topic(broker.host, broker.port, "pings")
        yield from _idle(broker)
        yield from _stalled(broker)


def _idle(broker: BrokerProcess) -> Iterator[Figure]:
    _pings(broker)
    before = broker.resident_bytes()
    with ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(socket.create_connection((broker.host, broker.port)))
        _pings(broker)
        taken = (broker.resident_bytes() - before) / 1e6
    yield Figure(f"{IDLE} idle connections", taken, "MB", IDLE_MB_MAX)


def _stalled(broker: BrokerProcess) -> Iterator[Figure]:
    alone = _pings(broker)
    known = socket.create_connection((broker.host, broker.port), timeout=30)
    large_alone = _large_request(known)
    before = broker.resident_bytes()
    head = struct.pack(">i", STALLED_REQUEST_BYTES)
    with ExitStack() as stack:
        for _ in range(STALLED):
            peer = stack.enter_context(socket.create_connection((broker.host, broker.port)))
            peer.setblocking(False)
            _send_what_goes(peer, head + bytes(STALLED_SENT_BYTES))
        beside = _pings(broker)
        large = _large_request(known)
        taken = (broker.resident_bytes() - before) / 1e6
    yield Figure(
        f"{STALLED} connections stalled in {STALLED_REQUEST_BYTES} B",
        taken,
        "MB",
        READ_BUDGET_MB * 1.1,
    )
    yield Figure("  a ping beside them, p99", beside, "ms", note=f"alone {alone:.2f} ms")
    known.close()
    yield Figure(
        "  a 1 MB produce beside them", large, "ms", 50, note=f"alone {large_alone:.2f} ms"
    )


def _send_what_goes(peer: socket.socket, data: bytes) -> None:
    """Send until the system takes no more: the broker stops reading where its memory is spent."""
    try:
        while data:
            data = data[peer.send(data) :]
    except BlockingIOError:
        return


def _pings(broker: BrokerProcess) -> float:
    """The p99 of small produces, one at a time, in milliseconds."""
    frame = produce_frame("pings", 0, batch_of(150))
    with socket.create_connection((broker.host, broker.port), timeout=30) as client:
        took = [_exchange(client, frame) for _ in range(PINGS)]
    return statistics.quantiles(took, n=100)[98]


def _large_request(client: socket.socket) -> float:
    """A large produce needs memory of its own; the milliseconds until its answer."""
    return _exchange(client, produce_frame("pings", 0, batch_of(STALLED_REQUEST_BYTES)))


def _exchange(client: socket.socket, frame: bytes) -> float:
    started = time.perf_counter()
    client.sendall(frame)
    (size,) = struct.unpack(">i", receive(client, 4))
    receive(client, size)
    return (time.perf_counter() - started) * 1000
