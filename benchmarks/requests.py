"""Requests of the protocol as frames, for the load generator and for tests of the raw wire."""

from __future__ import annotations

import socket
import struct
import time

from ottla.wire.compiler import codec
from ottla.wire.frames import request_frame
from ottla.wire.headers import decode_response_header
from ottla.wire.messages import responses
from ottla.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from ottla.wire.schema import Message

PRODUCE_VERSION = 9
FETCH_VERSION = 12
CLIENT_ID = "bench"


def batch_of(size: int, *, record_bytes: int = 1024) -> bytes:
    """One uncompressed batch of about `size` bytes."""
    value = b"v" * min(record_bytes, max(size - 80, 1))
    count = max(1, size // (len(value) + 10))
    record = Record(offset=0, timestamp=int(time.time() * 1000), key=None, value=value, headers=())
    return bytes(build_batch([record] * count))


def produce_frame(topic: str, partition: int, batch: bytes, *, acks: int = 1) -> bytes:
    request = ProduceRequest(
        acks=acks,
        timeout_ms=30_000,
        topic_data=[
            TopicProduceData(
                name=topic, partition_data=[PartitionProduceData(index=partition, records=batch)]
            )
        ],
    )
    return bytes(
        request_frame(request, version=PRODUCE_VERSION, correlation_id=1, client_id=CLIENT_ID)
    )


def fetch_frame(topic: str, partition: int, offset: int, *, max_bytes: int) -> bytes:
    request = FetchRequest(
        max_wait_ms=500,
        min_bytes=1,
        max_bytes=max_bytes,
        topics=[
            FetchTopic(
                topic=topic,
                partitions=[
                    FetchPartition(
                        partition=partition, fetch_offset=offset, partition_max_bytes=max_bytes
                    )
                ],
            )
        ],
    )
    return bytes(
        request_frame(request, version=FETCH_VERSION, correlation_id=1, client_id=CLIENT_ID)
    )


def ask(host: str, port: int, request: Message, version: int) -> Message:
    """Send one request on a connection of its own, and read its answer."""
    frame = request_frame(request, version=version, correlation_id=1, client_id=CLIENT_ID)
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(frame)
        (size,) = struct.unpack(">i", receive(connection, 4))
        answer = memoryview(receive(connection, size))
    _, body = decode_response_header(answer, 0, size, api_key=request.API_KEY, version=version)
    response, _ = codec(responses[request.API_KEY], version).decode(answer, body, size)
    return response


def create_topic(host: str, port: int, name: str, partitions: int = 1) -> None:
    """Make a topic, or stop the program with the broker's reason."""
    topic = CreatableTopic(
        name=name, num_partitions=partitions, replication_factor=1, assignments=[], configs=[]
    )
    answer = ask(host, port, CreateTopicsRequest(topics=[topic]), 7)
    for result in answer.topics:  # type: ignore[attr-defined]  # the response class is found by key
        if result.error_code:
            raise RuntimeError(f"{name}: {result.error_message}")


def receive(connection: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes."""
    received = bytearray()
    while len(received) < size:
        chunk = connection.recv(size - len(received))
        if not chunk:
            raise ConnectionError("the broker closed the connection")
        received += chunk
    return bytes(received)
