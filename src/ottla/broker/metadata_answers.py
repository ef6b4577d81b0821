"""Encoded Metadata answers, kept as long as the image that they describe is the current one.

Every client asks for metadata every few minutes and after every error, and a cluster of ten
thousand partitions takes ten milliseconds to encode: many clients that reconnect at once must not
pay that each. The key is the request's own bytes and what else its answer depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from ottla.base.limits import METADATA_ANSWERS_BYTES_MAX
from ottla.metadata.image import MetadataImage
from ottla.transport.outbox import Segment
from ottla.wire.messages.metadata import MetadataResponse

AnswerKey = tuple[int, str, tuple[str, int], bytes]
"""Version, listener, the address that the client reached, the body of its request."""

_CORRELATION_ID = Struct(">i")
_CORRELATION_ID_AT = 4


class MetadataAnswers:
    """Frames by what they answer."""

    def __init__(self) -> None:
        self._image: MetadataImage | None = None
        self._frames: dict[AnswerKey, bytes] = {}
        self._bytes = 0

    def find(self, image: MetadataImage, key: AnswerKey, correlation_id: int) -> bytearray | None:
        """The frame for a request that was answered before from the same image."""
        if image is not self._image:
            return None
        kept = self._frames.get(key)
        if kept is None:
            return None
        frame = bytearray(kept)
        _CORRELATION_ID.pack_into(frame, _CORRELATION_ID_AT, correlation_id)
        return frame

    def keep(
        self,
        image: MetadataImage,
        key: AnswerKey,
        response: MetadataResponse,
        frame: Sequence[Segment],
    ) -> None:
        """Keep an answer, but none that names an error: the next try may create the topic."""
        if image is not self._image:
            self._image = image
            self._frames.clear()
            self._bytes = 0
        if any(topic.error_code for topic in response.topics):
            return
        (whole,) = frame
        assert isinstance(whole, bytearray)
        size = len(whole) + len(key[-1])
        if self._bytes + size <= METADATA_ANSWERS_BYTES_MAX:
            self._frames[key] = bytes(whole)
            self._bytes += size
