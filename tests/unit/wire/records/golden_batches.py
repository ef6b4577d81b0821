"""Every batch that Apache Kafka 4.3.1 or a client of it wrote, as far as it was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ottla.wire.compiler import codec
from ottla.wire.headers import decode_request_header, decode_response_header
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.records.batch import iter_batches

GOLDEN = Path(__file__).parents[3] / "golden"


def log_files() -> list[bytes]:
    """The content of each log file of the recorded data directory that has any."""
    paths = sorted((GOLDEN / "log-dir").glob("*/*.log"))
    return [content for path in paths if (content := path.read_bytes())]


def sent_records() -> Iterator[bytes]:
    """What producers sent, and what fetches brought."""
    for line in (GOLDEN / "wire" / "samples.jsonl").read_text().splitlines():
        sample = json.loads(line)
        if sample["api_key"] == ProduceRequest.API_KEY:
            yield from _produced(bytes.fromhex(sample["request"]), sample["version"])
        if sample["api_key"] == FetchResponse.API_KEY:
            yield from _fetched(bytes.fromhex(sample["response"]), sample["version"])


def _produced(content: bytes, version: int) -> Iterator[bytes]:
    frame = memoryview(content)
    _, position = decode_request_header(frame, 0, len(frame))
    request, _ = codec(ProduceRequest, version).decode(frame, position, len(frame))
    for topic in request.topic_data:
        yield from (bytes(partition.records or b"") for partition in topic.partition_data)


def _fetched(content: bytes, version: int) -> Iterator[bytes]:
    frame = memoryview(content)
    _, position = decode_response_header(
        frame, 0, len(frame), api_key=FetchResponse.API_KEY, version=version
    )
    response, _ = codec(FetchResponse, version).decode(frame, position, len(frame))
    for topic in response.responses:
        yield from (bytes(partition.records or b"") for partition in topic.partitions)


def every_batch() -> list[bytes]:
    """All batches of both, one by one."""
    contents = [*log_files(), *filter(None, sent_records())]
    return [bytes(batch) for content in contents for _, batch in iter_batches(content)]
