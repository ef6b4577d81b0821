"""The four codecs of a record batch.

Everything after the header of a batch is one compressed block. The libraries are imported when a
codec is first used: a broker that only passes batches on never needs them.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import COMPRESSED_STREAMS_MAX, DECOMPRESSED_BYTES_MAX, KIB, MIB
from ottla.base.world import Buffer

_STEP_BYTES: Final = MIB
"""Decompressors are asked for this much at a time, so that a bomb is noticed while it is small."""

_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = struct.Struct(">8sii")
_XERIAL_BLOCK_BYTES: Final = 32 * KIB
_INT32: Final = struct.Struct(">i")

_LZ4_LEVEL_FAST: Final = 9
"""Kafka's default level means the fast compressor; any other picks the thorough one (KIP-780)."""


class Codec(IntEnum):
    """Bits 0-2 of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


def compress(data: Buffer, codec: Codec, *, level: int | None = None) -> bytes:
    """One compressed block. `level` as in `compression.<codec>.level`; None is Kafka's default."""
    return _COMPRESSORS[codec](data, level)


def decompress(data: Buffer, codec: Codec, *, limit: int = DECOMPRESSED_BYTES_MAX) -> bytes:
    """The block's content.

    Raises ProtocolError(CORRUPT_MESSAGE) where it is broken, or would exceed `limit` bytes.
    """
    return _DECOMPRESSORS[codec](data, limit)


def _broken(codec: Codec, reason: object) -> ProtocolError:
    return ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"{codec.name.lower()} block: {reason}")


def _check_streams(codec: Codec, count: int) -> None:
    if count > COMPRESSED_STREAMS_MAX:
        raise _broken(codec, f"is made of more than {COMPRESSED_STREAMS_MAX} streams")


def _check_limit(codec: Codec, size: int, limit: int) -> None:
    if size > limit:
        raise _broken(codec, f"expands to more than {limit} bytes")


# --- none ---


def _copy(data: Buffer, level: int | None) -> bytes:
    return bytes(data)


def _copy_bounded(data: Buffer, limit: int) -> bytes:
    _check_limit(Codec.NONE, len(data), limit)
    return bytes(data)


# --- gzip ---

_GZIP_WINDOW_BITS: Final = 31  # 15 bits of window, plus 16 for gzip's own header


def _gzip_compress(data: Buffer, level: int | None) -> bytes:
    deflate = zlib.compressobj(-1 if level is None else level, zlib.DEFLATED, _GZIP_WINDOW_BITS)
    return deflate.compress(data) + deflate.flush()


def _gzip_decompress(data: Buffer, limit: int) -> bytes:
    chunks: list[bytes] = []
    total, streams = 0, 1
    rest: Buffer = data
    inflate = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        while len(rest) or not inflate.eof:
            chunk = inflate.decompress(rest, _STEP_BYTES)
            total += len(chunk)
            _check_limit(Codec.GZIP, total, limit)
            chunks.append(chunk)
            rest = inflate.unconsumed_tail
            if inflate.eof:
                rest = inflate.unused_data
                if rest:  # gzip files may be several members in a row
                    streams += 1
                    _check_streams(Codec.GZIP, streams)
                    inflate = zlib.decompressobj(_GZIP_WINDOW_BITS)
            elif not rest and not chunk:
                raise _broken(Codec.GZIP, "ends too early")
    except zlib.error as error:
        raise _broken(Codec.GZIP, error) from error
    return b"".join(chunks)


# --- snappy ---


def _snappy_compress(data: Buffer, level: int | None) -> bytes:
    """In the framing of the Java client (xerial's): every Kafka client reads it."""
    from cramjam import snappy

    view = memoryview(data)
    out = bytearray(_XERIAL_HEADER.pack(_XERIAL_MAGIC, 1, 1))
    for start in range(0, len(view), _XERIAL_BLOCK_BYTES):
        block = bytes(snappy.compress_raw(bytes(view[start : start + _XERIAL_BLOCK_BYTES])))
        out += _INT32.pack(len(block))
        out += block
    return bytes(out)


def _snappy_decompress(data: Buffer, limit: int) -> bytes:
    view = memoryview(data)
    if bytes(view[:8]) != _XERIAL_MAGIC:
        return _snappy_block(view, limit)
    chunks: list[bytes] = []
    total = 0
    position = _XERIAL_HEADER.size
    while position < len(view):
        if bytes(view[position : position + 8]) == _XERIAL_MAGIC:  # streams in a row
            position += _XERIAL_HEADER.size
            continue
        start = position + _INT32.size
        if start > len(view):
            raise _broken(Codec.SNAPPY, "ends too early")
        (size,) = _INT32.unpack_from(view, position)
        if not 0 < size <= len(view) - start:
            raise _broken(Codec.SNAPPY, f"a block of {size} bytes does not fit")
        chunk = _snappy_block(view[start : start + size], limit - total)
        total += len(chunk)
        chunks.append(chunk)
        position = start + size
    return b"".join(chunks)


def _snappy_block(block: memoryview, limit: int) -> bytes:
    import cramjam

    raw = bytes(block)
    try:
        _check_limit(Codec.SNAPPY, cramjam.snappy.decompress_raw_len(raw), limit)
        return bytes(cramjam.snappy.decompress_raw(raw))
    except (cramjam.DecompressionError, ValueError) as error:
        raise _broken(Codec.SNAPPY, error) from error


# --- lz4 and zstd: frames ---


class _FrameDecompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: Buffer, max_length: int) -> bytes: ...


def _lz4_compress(data: Buffer, level: int | None) -> bytes:
    import lz4.frame  # type: ignore[import-untyped]  # the package ships no types

    compressed: bytes = lz4.frame.compress(
        data,
        compression_level=0 if level in (None, _LZ4_LEVEL_FAST) else level,
        block_size=lz4.frame.BLOCKSIZE_MAX64KB,
        block_linked=False,  # Java's reader refuses blocks that depend on each other
        store_size=False,
    )
    return compressed


def _lz4_decompress(data: Buffer, limit: int) -> bytes:
    import lz4.frame

    def new_frame() -> _FrameDecompressor:
        decompressor: _FrameDecompressor = lz4.frame.LZ4FrameDecompressor()
        return decompressor

    return _read_frames(data, limit, Codec.LZ4, new_frame, RuntimeError)


def _zstd_compress(data: Buffer, level: int | None) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.compress(data, 3 if level is None else level)


def _zstd_decompress(data: Buffer, limit: int) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return _read_frames(data, limit, Codec.ZSTD, zstd.ZstdDecompressor, zstd.ZstdError)


def _read_frames(
    data: Buffer,
    limit: int,
    codec: Codec,
    new_frame: Callable[[], _FrameDecompressor],
    failure: type[Exception],
) -> bytes:
    chunks: list[bytes] = []
    total, streams = 0, 0
    rest: Buffer = data
    try:
        while len(rest):
            streams += 1
            _check_streams(codec, streams)
            frame = new_frame()
            while not frame.eof:
                chunk = frame.decompress(rest, max_length=_STEP_BYTES)
                rest = b""
                if not chunk and frame.needs_input and not frame.eof:
                    raise _broken(codec, "ends too early")
                total += len(chunk)
                _check_limit(codec, total, limit)
                chunks.append(chunk)
            rest = frame.unused_data or b""
    except failure as error:
        raise _broken(codec, error) from error
    return b"".join(chunks)


_COMPRESSORS: Final[dict[Codec, Callable[[Buffer, int | None], bytes]]] = {
    Codec.NONE: _copy,
    Codec.GZIP: _gzip_compress,
    Codec.SNAPPY: _snappy_compress,
    Codec.LZ4: _lz4_compress,
    Codec.ZSTD: _zstd_compress,
}

_DECOMPRESSORS: Final[dict[Codec, Callable[[Buffer, int], bytes]]] = {
    Codec.NONE: _copy_bounded,
    Codec.GZIP: _gzip_decompress,
    Codec.SNAPPY: _snappy_decompress,
    Codec.LZ4: _lz4_decompress,
    Codec.ZSTD: _zstd_decompress,
}
