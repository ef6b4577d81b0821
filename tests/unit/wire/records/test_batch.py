from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.wire.records.batch import (
    HEADER_SIZE,
    TimestampType,
    build_batch,
    check_crc,
    crc_matches,
    iter_batches,
    iter_headers,
    patch_log_append_time,
    patch_placement,
    read_header,
    recompress,
)
from ottla.wire.records.compression import Codec
from ottla.wire.records.record import Record, iter_records

optional_bytes = st.none() | st.binary(max_size=40)
record_lists = st.lists(
    st.builds(
        Record,
        offset=st.just(0),
        timestamp=st.integers(0, 2**53),
        key=optional_bytes,
        value=optional_bytes | st.binary(min_size=100, max_size=300),
        headers=st.lists(st.tuples(st.text(max_size=8), optional_bytes), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=20,
)


def numbered(records: list[Record], base_offset: int) -> list[Record]:
    return [
        Record(base_offset + index, record.timestamp, record.key, record.value, record.headers)
        for index, record in enumerate(records)
    ]


@given(records=record_lists, codec=st.sampled_from(Codec), base_offset=st.integers(0, 2**40))
def test_records_come_back_from_a_batch(
    records: list[Record], codec: Codec, base_offset: int
) -> None:
    batch = build_batch(records, base_offset=base_offset, codec=codec)
    header = read_header(batch)
    check_crc(batch, 0, len(batch))
    assert header.size == len(batch)
    assert header.codec is codec
    assert header.record_count == len(records)
    assert header.next_offset == base_offset + len(records)
    assert header.max_timestamp == max(record.timestamp for record in records)
    assert list(iter_records(batch)) == numbered(records, base_offset)


def test_the_header_says_who_wrote_the_batch_and_what_it_is() -> None:
    batch = build_batch(
        [Record(timestamp=5), Record(timestamp=3)],
        base_offset=10,
        leader_epoch=4,
        timestamp_type=TimestampType.LOG_APPEND_TIME,
        producer_id=77,
        producer_epoch=2,
        base_sequence=2**31 - 1,
        transactional=True,
        control=True,
    )
    header = read_header(batch)
    assert (header.producer_id, header.producer_epoch) == (77, 2)
    assert (header.base_sequence, header.last_sequence) == (2**31 - 1, 0)
    assert header.is_transactional
    assert header.is_control
    assert header.timestamp_type is TimestampType.LOG_APPEND_TIME
    assert header.partition_leader_epoch == 4
    assert header.last_offset == 11
    assert [record.timestamp for record in iter_records(batch)] == [5, 5]


def test_placing_a_batch_keeps_its_checksum() -> None:
    two = bytearray(build_batch([Record(value=b"first")]))
    first_size = len(two)
    two += build_batch([Record(value=b"second")])
    patch_placement(two, first_size, 123_456_789_012, 9)
    first, second = iter_batches(two)
    assert first[0].base_offset == 0
    assert second[0].base_offset == 123_456_789_012
    assert second[0].partition_leader_epoch == 9
    assert crc_matches(second[1], second[0])
    assert crc_matches(two, second[0], first_size)


def test_log_append_time_replaces_all_timestamps_and_the_checksum() -> None:
    batch = build_batch([Record(timestamp=1), Record(timestamp=2)])
    header = read_header(batch)
    patch_log_append_time(batch, header, 1_795_000_000_000)
    assert read_header(batch) == header
    check_crc(batch, 0, len(batch))
    assert [record.timestamp for record in iter_records(batch)] == [1_795_000_000_000] * 2


@pytest.mark.parametrize("source", Codec)
@pytest.mark.parametrize("target", Codec)
def test_another_codec_keeps_records_and_header(source: Codec, target: Codec) -> None:
    records = [Record(timestamp=n, key=b"k", value=b"v" * n) for n in range(50)]
    batch = build_batch(records, codec=source, producer_id=5, producer_epoch=1, base_sequence=7)
    changed, header = recompress(batch, read_header(batch), target)
    assert read_header(changed) == header
    assert header.codec is target
    assert (header.producer_id, header.base_sequence) == (5, 7)
    check_crc(changed, 0, len(changed))
    assert list(iter_records(changed)) == list(iter_records(batch))


def test_a_cut_batch_at_the_end_is_left_out_as_in_a_fetch() -> None:
    batch = build_batch([Record(value=b"whole")])
    for end in range(len(batch)):
        assert len(list(iter_headers(batch + batch[:end]))) == 1


def test_what_is_no_header_is_refused() -> None:
    for nonsense in (bytes(HEADER_SIZE), b"\xff" * HEADER_SIZE):
        with pytest.raises(ProtocolError):
            list(iter_headers(nonsense))
    with pytest.raises(ProtocolError) as refused:
        read_header(bytes(HEADER_SIZE - 1))
    assert refused.value.code is ErrorCode.CORRUPT_MESSAGE


def test_every_flipped_bit_behind_the_checksum_is_noticed() -> None:
    batch = build_batch([Record(key=b"k", value=b"v")])
    for position in range(17, len(batch)):
        damaged = bytearray(batch)
        damaged[position] ^= 1 << (position % 8)
        with pytest.raises(ProtocolError):
            check_crc(damaged, 0, len(damaged))


@given(position=st.integers(HEADER_SIZE, HEADER_SIZE + 60), value=st.integers(0, 255))
def test_damaged_records_raise_nothing_but_a_protocol_error(position: int, value: int) -> None:
    batch = build_batch(
        [Record(timestamp=n, key=b"key", value=b"value", headers=(("h", b"x"),)) for n in range(4)]
    )
    batch[min(position, len(batch) - 1)] = value
    try:
        list(iter_records(batch))
    except ProtocolError as refused:
        assert refused.code is ErrorCode.CORRUPT_MESSAGE  # noqa: PT017 # it may also decode


def test_an_empty_batch_as_compaction_leaves_it_has_no_records() -> None:
    batch = build_batch([Record()])
    header = read_header(batch)
    header.record_count = 0
    empty = bytearray(batch[:HEADER_SIZE])
    empty[57:61] = bytes(4)
    empty[8:12] = (HEADER_SIZE - 12).to_bytes(4, "big")
    assert list(iter_records(empty)) == []
