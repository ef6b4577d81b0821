"""Answers on their way: what a data-path request remembers until it can be answered."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING

import msgspec

from ottla.transport.connection import Connection, Reply
from ottla.transport.outbox import Segment
from ottla.wire.frames import response_frame
from ottla.wire.headers import RequestHeader
from ottla.wire.schema import Message

if TYPE_CHECKING:
    from ottla.broker.meter import Meter
    from ottla.broker.request_log import RequestAccount


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """One request and the place of its answer.

    `started_ns` is what `perf_counter_ns` said when its frame of `request_bytes` was there, and 0
    where nobody wants to know: without `account`, which is told of the answer where somebody reads
    it, and without `meter`, which counts it while quotas are set.
    """

    header: RequestHeader
    reply: Reply
    started_ns: int
    request_bytes: int
    account: RequestAccount | None
    meter: Meter | None = None

    @property
    def version(self) -> int:
        return self.header.api_version

    @property
    def connection(self) -> Connection:
        return self.reply.connection

    def resumed(self, waiting_since_ns: int) -> Exchange:
        """The same after a wait for data, which is no part of its duration."""
        waited_ns = perf_counter_ns() - waiting_since_ns
        return msgspec.structs.replace(self, started_ns=self.started_ns + waited_ns)

    def count_refusal(self, error: int) -> None:
        """The request, or a part of it, is answered with an error."""
        if self.account is not None:
            self.account.requests.refused(self.header.api_key, error)

    def encode(self, response: Message) -> list[Segment]:
        """The frame that answers this request; its first segment is a bytearray."""
        if self.meter is not None:
            self.meter.charge(response)
        return self.frame_of(response)

    def frame_of(self, response: Message) -> list[Segment]:
        """As `encode`, where nobody is charged for it."""
        header = self.header
        return response_frame(header.api_key, header.api_version, header.correlation_id, response)

    def answer(self, response: Message) -> None:
        """Send the response when its turn comes."""
        self.send(self.encode(response))

    def send(self, segments: Sequence[Segment]) -> None:
        """Send an encoded answer when its turn comes; an empty one where none is expected."""
        account = self.account
        if account is not None:
            response_bytes = len(segments[0]) if len(segments) == 1 else sum(map(len, segments))
            duration_ns = perf_counter_ns() - self.started_ns
            if account.counts.add(duration_ns, self.request_bytes, response_bytes):
                account.requests.slow(self, duration_ns, response_bytes)
        self.reply.complete(segments)
