"""From a declaration to functions: one pair per class and version, made when first used.

    codec(ProduceRequest, 9).decode(buffer, position, end)
    print(codec(ProduceRequest, 9).decode_source)          # what runs there

Tracebacks and profilers show the generated lines as those of a file of their own.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.wire.decoding import decoder_source
from ottla.wire.encoding import encoder_source
from ottla.wire.schema import Versioned
from ottla.wire.source import Shape, Source

V = TypeVar("V", bound=Versioned)

Segment = Any
"""A piece of a frame: bytearray, or whatever object stood in a Records field."""


class Codec(Generic[V]):
    """Bytes to messages and back, for one class in one version. Get one from `codec`."""

    def __init__(self, cls: type[V], version: int) -> None:
        self.cls = cls
        self.version = version
        self.flexible = version in cls.FLEXIBLE

    def __repr__(self) -> str:
        return f"<Codec {self._what}>"

    @property
    def _what(self) -> str:
        return f"{self.cls.__name__} v{self.version}"

    @cached_property
    def decode(self) -> Callable[[memoryview, int, int], tuple[V, int]]:
        """`decode(buffer, position, end)` gives the message and the position after it.

        `end` is not beyond the buffer. Records are views into it. What follows the message up to
        `end` is the caller's matter. Raises ProtocolError(INVALID_REQUEST) for bytes that are no
        such message, whatever they are; allocates in proportion to `end - position` at most.
        """
        function: Callable[[memoryview, int, int], tuple[V, int]]
        function = _function(self._decoder, "decode", self._what)
        return function

    @cached_property
    def write(self) -> Callable[[V, bytearray, list[Segment]], bytearray]:
        """`write(message, out, segments)` appends to `out` and gives the bytearray to go on with.

        That is `out` itself unless there were records: before each of them goes what stands in
        `out` so far, then the records object, into `segments`, and a fresh bytearray follows.
        Raises ProtocolError(UNSUPPORTED_VERSION) for a value that this version has no place for,
        and struct.error, ValueError, TypeError or AttributeError for one that no version has.
        """
        function: Callable[[V, bytearray, list[Segment]], bytearray]
        function = _function(self._encoder, "write", self._what)
        return function

    def encode(self, message: V) -> bytearray:
        """One bytearray; records in it must be bytes-like, and are copied."""
        segments: list[Segment] = []
        out = self.write(message, bytearray(), segments)
        if not segments:
            return out
        segments.append(out)
        return bytearray().join(segments)

    def encode_into(self, message: V, segments: list[Segment]) -> None:
        """Append the message's pieces, in order: bytearrays, and records objects as they are."""
        out = self.write(message, bytearray(), segments)
        if out:
            segments.append(out)

    @property
    def decode_source(self) -> str:
        """The generated Python, for debugging."""
        return self._decoder.text()

    @property
    def encode_source(self) -> str:
        """The generated Python, for debugging."""
        return self._encoder.text()

    @property
    def _decoder(self) -> Source:
        return decoder_source(self._shape, self._what)

    @property
    def _encoder(self) -> Source:
        return encoder_source(self._shape, self._what)

    @property
    def _shape(self) -> Shape:
        return Shape(self.cls, self.version, flexible=self.flexible)


_codecs: dict[tuple[type[Versioned], int], Codec[Any]] = {}


def codec(cls: type[V], version: int) -> Codec[V]:
    """The codec of a class in a version; always the same one.

    Raises ProtocolError(UNSUPPORTED_VERSION) outside the versions that the class declares.
    """
    found = _codecs.get((cls, version))
    if found is None:
        if version not in cls.VERSIONS:
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_VERSION,
                f"{cls.__name__} has versions {cls.VERSIONS}, not {version}",
            )
        found = _codecs[cls, version] = Codec(cls, version)
    return found


def _function(source: Source, name: str, what: str) -> Any:
    """Compile what a source holds, and let tracebacks find its lines."""
    text = source.text()
    filename = f"<{name} {what}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace = source.globals
    exec(compile(text, filename, "exec"), namespace)  # noqa: S102 - our own source, no input in it
    return namespace[name]
