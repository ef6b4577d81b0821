"""Which batches belong to aborted transactions."""

from __future__ import annotations

import pytest

from ottla.base.errors import ProtocolError
from ottla.client.consumer.aborted import AbortedTransactions
from ottla.wire.messages.fetch import AbortedTransaction
from ottla.wire.records.control import ControlType
from ottla.wire.records.header import iter_batches
from tests.unit.client.consumer.test_chunk import batch, marker


def listed(*pairs: tuple[int, int]) -> AbortedTransactions:
    return AbortedTransactions(
        [AbortedTransaction(producer_id=who, first_offset=first) for who, first in pairs]
    )


def dropped(aborted: AbortedTransactions, *batches: bytes) -> list[int]:
    return [
        header.base_offset
        for header, data in iter_batches(b"".join(batches))
        if aborted.drops(header, data)
    ]


def test_nothing_is_dropped_where_nothing_is_listed() -> None:
    assert dropped(listed(), batch(0, 2, producer_id=1), batch(2, 1)) == []


def test_a_transaction_counts_from_its_first_offset_to_its_marker() -> None:
    found = dropped(
        listed((1, 2)),
        batch(0, 2, producer_id=1),  # of the transaction before
        batch(2, 2, producer_id=1),
        batch(4, 1),
        batch(5, 1, producer_id=1),
        marker(6, 1, ControlType.ABORT),
        batch(7, 1, producer_id=1),
    )
    assert found == [2, 5]


def test_two_transactions_of_one_producer_may_be_listed_in_any_order() -> None:
    found = dropped(
        listed((1, 4), (1, 0)),
        batch(0, 1, producer_id=1),
        marker(1, 1, ControlType.ABORT),
        batch(2, 1, producer_id=1),
        marker(3, 1, ControlType.COMMIT),
        batch(4, 1, producer_id=1),
    )
    assert found == [0, 4]


def test_a_transaction_that_began_before_what_was_fetched_counts_from_the_first_batch() -> None:
    assert dropped(listed((1, 0)), batch(50, 1, producer_id=1), batch(51, 1, producer_id=2)) == [50]


def test_a_marker_of_another_producer_ends_nothing() -> None:
    found = dropped(
        listed((1, 0)),
        batch(0, 1, producer_id=1),
        marker(1, 2, ControlType.ABORT),
        batch(2, 1, producer_id=1),
    )
    assert found == [0, 2]


def test_a_commit_of_a_producer_that_is_listed_ends_nothing() -> None:
    found = dropped(listed((1, 0)), marker(0, 1, ControlType.COMMIT), batch(1, 1, producer_id=1))
    assert found == [1]


def test_a_marker_that_cannot_be_read_is_refused() -> None:
    broken = bytearray(marker(1, 1, ControlType.ABORT))
    broken[61] = 0xFF  # the record's length
    with pytest.raises(ProtocolError):
        dropped(listed((1, 0)), batch(0, 1, producer_id=1), bytes(broken))
