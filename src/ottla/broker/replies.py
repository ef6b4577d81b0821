"""Answers on their way: what a data-path request remembers until it can be answered."""

from __future__ import annotations

import msgspec

from ottla.transport.connection import Connection, Reply
from ottla.transport.outbox import Segment
from ottla.wire.frames import response_frame
from ottla.wire.headers import RequestHeader
from ottla.wire.schema import Message


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """One request and the place of its answer."""

    header: RequestHeader
    reply: Reply

    @property
    def version(self) -> int:
        return self.header.api_version

    @property
    def connection(self) -> Connection:
        return self.reply.connection

    def encode(self, response: Message) -> list[Segment]:
        """The frame that answers this request; its first segment is a bytearray."""
        header = self.header
        return response_frame(header.api_key, header.api_version, header.correlation_id, response)

    def answer(self, response: Message) -> None:
        """Send the response when its turn comes."""
        self.reply.complete(self.encode(response))
