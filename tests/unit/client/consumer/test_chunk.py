"""What one fetch brought, looked through and opened piece by piece."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import CONSUMER_OPENED_BYTES_MAX
from ottla.client.consumer.chunk import Chunk
from ottla.wire.messages.fetch import AbortedTransaction
from ottla.wire.records.batch import build_batch, patch_placement
from ottla.wire.records.compression import Codec
from ottla.wire.records.control import ControlType, control_key
from ottla.wire.records.record import Record


def batch(
    base_offset: int,
    count: int,
    *,
    epoch: int = 0,
    producer_id: int = -1,
    size: int = 1,
    codec: Codec = Codec.NONE,
) -> bytes:
    data = bytearray(
        build_batch(
            [Record(n, 0, None, b"v" * size) for n in range(count)],
            codec=codec,
            producer_id=producer_id,
            producer_epoch=0 if producer_id >= 0 else -1,
            base_sequence=0 if producer_id >= 0 else -1,
            transactional=producer_id >= 0,
        )
    )
    patch_placement(data, 0, base_offset, epoch)
    return bytes(data)


def marker(offset: int, producer_id: int, kind: ControlType) -> bytes:
    data = bytearray(
        build_batch(
            [Record(0, 0, control_key(kind), bytes(6))],
            producer_id=producer_id,
            producer_epoch=0,
            transactional=True,
            control=True,
        )
    )
    patch_placement(data, 0, offset, 0)
    return bytes(data)


def offsets(chunk: Chunk, from_offset: int = 0) -> list[int]:
    """Of all records, by opening to the end."""
    found: list[int] = []
    while not chunk.is_over:
        columns = chunk.open(from_offset)
        found += columns.offsets
        chunk.advance(columns)
    return found


def test_batches_lead_to_where_the_next_fetch_begins() -> None:
    chunk = Chunk(batch(10, 3) + batch(13, 2), from_offset=10)
    assert (chunk.next_offset, chunk.damage) == (15, None)
    assert offsets(chunk) == [10, 11, 12, 13, 14]


def test_records_before_the_position_are_left_out_and_a_cut_batch_is_not_counted() -> None:
    whole = batch(10, 3)
    chunk = Chunk(whole + batch(13, 2)[:-1], from_offset=11)
    assert (chunk.next_offset, chunk.size) == (13, len(whole))
    assert offsets(chunk, 11) == [11, 12]


def test_the_same_piece_is_opened_until_it_is_taken() -> None:
    chunk = Chunk(batch(0, 2), from_offset=0)
    assert list(chunk.open(0).offsets) == list(chunk.open(0).offsets) == [0, 1]
    assert list(chunk.open(1).offsets) == [1]
    assert not chunk.is_over


def test_pieces_are_bounded_but_a_single_batch_may_be_larger() -> None:
    large = CONSUMER_OPENED_BYTES_MAX * 3 // 4
    chunk = Chunk(batch(0, 1, size=large) + batch(1, 1, size=large), from_offset=0)
    columns = chunk.open(0)
    assert list(columns.offsets) == [0]
    chunk.advance(columns)
    assert list(chunk.open(1).offsets) == [1]
    packed = batch(0, 1, size=2 * CONSUMER_OPENED_BYTES_MAX, codec=Codec.GZIP)
    assert offsets(Chunk(packed + batch(1, 1), from_offset=0)) == [0, 1]


def test_runs_tell_the_epoch_of_each_record() -> None:
    data = batch(0, 2, epoch=1) + batch(2, 2, epoch=1) + batch(4, 2, epoch=5)
    chunk = Chunk(data, from_offset=0)
    assert len(chunk.runs) == 2
    assert [chunk.run_of(offset).leader_epoch for offset in (0, 3, 4, 5, 99)] == [1, 1, 5, 5, 5]


def test_damage_comes_behind_what_is_good() -> None:
    broken = bytearray(batch(2, 2))
    broken[16] = 9  # the magic number
    chunk = Chunk(batch(0, 2) + bytes(broken), from_offset=0)
    assert chunk.next_offset == 2
    columns = chunk.open(0)
    assert list(columns.offsets) == [0, 1]
    chunk.advance(columns)
    assert not chunk.is_over
    with pytest.raises(ProtocolError, match="no batch"):
        chunk.open(2)


def test_a_batch_that_ends_before_it_begins_is_damage() -> None:
    broken = bytearray(batch(0, 2))
    broken[23:27] = (-1).to_bytes(4, "big", signed=True)
    damage = Chunk(bytes(broken), from_offset=0).damage
    assert damage is not None
    assert damage.code is ErrorCode.CORRUPT_MESSAGE


def test_a_wrong_checksum_is_told_when_the_batch_is_opened_or_at_once_for_a_marker() -> None:
    broken = bytearray(batch(0, 2))
    broken[-2] ^= 1
    chunk = Chunk(bytes(broken), from_offset=0)
    assert chunk.damage is None
    with pytest.raises(ProtocolError, match="CRC"):
        chunk.open(0)
    assert offsets(Chunk(bytes(broken), from_offset=0, with_crc=False)) == [0, 1]
    control = bytearray(marker(0, 1, ControlType.ABORT))
    control[-1] ^= 1
    assert Chunk(bytes(control), from_offset=0).damage is not None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (batch(0, 2), ErrorCode.CORRUPT_MESSAGE),
        (batch(5, 2)[:-1], ErrorCode.MESSAGE_TOO_LARGE),
    ],
)
def test_what_would_let_reading_stand_still_is_damage(data: bytes, code: ErrorCode) -> None:
    chunk = Chunk(data, from_offset=5)
    assert chunk.damage is not None
    assert chunk.damage.code is code


def test_records_of_aborted_transactions_and_markers_are_passed_over() -> None:
    data = b"".join(
        (
            batch(0, 2, producer_id=1),
            batch(2, 2, producer_id=2),
            marker(4, 1, ControlType.ABORT),
            batch(5, 1, producer_id=1),
            marker(6, 1, ControlType.COMMIT),
            marker(7, 2, ControlType.COMMIT),
        )
    )
    listed = [AbortedTransaction(producer_id=1, first_offset=0)]
    chunk = Chunk(data, from_offset=0, aborted=listed)
    assert chunk.next_offset == 8
    assert offsets(chunk) == [2, 3, 5]
