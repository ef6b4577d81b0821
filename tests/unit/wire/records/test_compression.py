from __future__ import annotations

import random
import struct
import zlib

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import COMPRESSED_STREAMS_MAX
from ottla.wire.records.compression import Codec, compress, decompress

COMPRESSING = [codec for codec in Codec if codec is not Codec.NONE]
LEVELS = {Codec.GZIP: (1, 9, -1), Codec.LZ4: (1, 9, 17), Codec.ZSTD: (-131072, 3, 22)}


@pytest.mark.parametrize("codec", Codec)
@given(data=st.binary(max_size=5000), repeats=st.integers(1, 50))
def test_what_was_compressed_comes_back(codec: Codec, data: bytes, repeats: int) -> None:
    assert decompress(compress(data * repeats, codec), codec) == data * repeats


@pytest.mark.parametrize("codec", Codec)
def test_large_blocks_and_views_of_buffers_come_back(codec: Codec) -> None:
    data = random.Random(7).randbytes(3_000_000) + bytes(2_000_000)
    block = compress(memoryview(bytearray(data)), codec)
    assert decompress(memoryview(block), codec) == data


@pytest.mark.parametrize(
    ("codec", "level"), [(codec, level) for codec, levels in LEVELS.items() for level in levels]
)
def test_every_level_that_a_topic_may_ask_for(codec: Codec, level: int) -> None:
    data = b"level " * 500
    assert decompress(compress(data, codec, level=level), codec) == data


def test_snappy_is_written_as_java_does_and_read_in_both_forms() -> None:
    data = b"snappy " * 20_000
    framed = compress(data, Codec.SNAPPY)
    assert framed.startswith(b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
    assert decompress(framed, Codec.SNAPPY) == data
    raw = bytes(cramjam.snappy.compress_raw(data))
    assert decompress(raw, Codec.SNAPPY) == data
    assert decompress(framed + framed, Codec.SNAPPY) == data + data


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.LZ4, Codec.ZSTD])
def test_streams_in_a_row_are_one(codec: Codec) -> None:
    assert decompress(compress(b"one", codec) + compress(b"two", codec), codec) == b"onetwo"


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.LZ4, Codec.ZSTD])
def test_a_crowd_of_streams_is_refused(codec: Codec) -> None:
    stream = compress(b"x", codec)
    crowd = stream * COMPRESSED_STREAMS_MAX
    assert decompress(crowd, codec) == b"x" * COMPRESSED_STREAMS_MAX
    with pytest.raises(ProtocolError) as refused:
        decompress(crowd + stream, codec)
    assert refused.value.code is ErrorCode.CORRUPT_MESSAGE


@pytest.mark.parametrize("codec", Codec)
def test_a_bomb_is_refused_at_the_limit(codec: Codec) -> None:
    data = bytes(10_000_000)
    block = compress(data, codec)
    assert decompress(block, codec, limit=len(data)) == data
    with pytest.raises(ProtocolError) as refused:
        decompress(block, codec, limit=len(data) - 1)
    assert refused.value.code is ErrorCode.CORRUPT_MESSAGE


def test_a_snappy_block_that_only_claims_to_be_huge_is_refused_before_allocating() -> None:
    claim = b"\xff\xff\xff\xff\x0f" + b"\x00"
    with pytest.raises(ProtocolError):
        decompress(claim, Codec.SNAPPY)


@pytest.mark.parametrize("codec", COMPRESSING)
def test_every_cut_block_is_refused(codec: Codec) -> None:
    block = compress(random.Random(3).randbytes(300) + bytes(300), codec)
    for end in range(1, len(block)):
        try:
            assert len(decompress(block[:end], codec)) < 600
            # Snappy's framing has no end mark: a cut between two blocks cannot be seen.
            assert codec is Codec.SNAPPY
        except ProtocolError as refused:
            assert refused.code is ErrorCode.CORRUPT_MESSAGE  # noqa: PT017 # either may happen


@pytest.mark.parametrize("codec", COMPRESSING)
@given(data=st.data())
def test_damaged_and_random_blocks_never_raise_anything_else(
    codec: Codec, data: st.DataObject
) -> None:
    block = bytearray(compress(b"some text to damage " * 20, codec))
    position = data.draw(st.integers(0, len(block) - 1))
    block[position] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(block), data.draw(st.binary(max_size=200))):
        try:
            decompress(damaged, codec, limit=100_000)
        except ProtocolError as refused:
            assert refused.code is ErrorCode.CORRUPT_MESSAGE  # noqa: PT017 # it may also decode


def test_gzip_is_plain_gzip() -> None:
    assert zlib.decompress(compress(b"plain", Codec.GZIP), 31) == b"plain"


def test_lz4_blocks_are_independent_as_java_demands() -> None:
    flags = compress(bytes(200_000), Codec.LZ4)[4]
    assert struct.unpack("<I", compress(b"x", Codec.LZ4)[:4]) == (0x184D2204,)
    assert flags & 0b0010_0000
