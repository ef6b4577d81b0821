"""Large memory is used again, never while anybody looks at it, and only so much is kept."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest

from ottla.base.limits import BLOCKS_KEPT_BYTES_MAX
from ottla.wire.records import memory

KIB = 1024
FORMS: list[Callable[[int], memoryview]] = [memory.fresh_block]
if memory.IS_COMPILED:
    from ottla.wire.records import _memory

    FORMS.append(_memory.block)

needs_c = pytest.mark.skipif(not memory.IS_COMPILED, reason="the C twins were not compiled")


@pytest.fixture
def nothing_kept() -> Iterator[None]:
    """No memory of other tests is there to be used."""
    gc.collect()
    _memory.keep(0)
    _memory.keep(BLOCKS_KEPT_BYTES_MAX)
    yield
    _memory.keep(BLOCKS_KEPT_BYTES_MAX)


@pytest.mark.parametrize("block", FORMS)
@pytest.mark.parametrize("size", [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 17 * KIB * KIB])
def test_a_block_has_its_size_and_takes_bytes(
    block: Callable[[int], memoryview], size: int
) -> None:
    made = block(size)
    assert len(made) == size
    made[:] = b"x" * size
    assert bytes(made) == b"x" * size


@pytest.mark.parametrize("block", FORMS)
def test_there_is_no_block_of_less_than_nothing(block: Callable[[int], memoryview]) -> None:
    with pytest.raises(ValueError, match="negative"):
        block(-1)


def test_a_copy_stays_what_it_was() -> None:
    data = bytearray(b"abc" * 50_000)
    copy = memory.copy_of(memoryview(data))
    data[:3] = b"xyz"
    assert bytes(copy) == b"abc" * 50_000


@needs_c
def test_what_somebody_still_sees_is_not_used_again(nothing_kept: None) -> None:
    first = _memory.block(100 * KIB)
    first[:] = b"1" * len(first)
    seen = first[5:10]
    del first
    second = _memory.block(100 * KIB)
    second[:] = b"2" * len(second)
    assert bytes(seen) == b"11111"


@needs_c
def test_free_memory_goes_to_the_next_block_of_its_size(nothing_kept: None) -> None:
    block = _memory.block(100 * KIB)
    block[99 * KIB :] = b"x" * KIB
    del block
    assert _memory.kept() == 128 * KIB
    smaller = _memory.block(60 * KIB)
    assert _memory.kept() == 128 * KIB
    again = _memory.block(128 * KIB)
    assert _memory.kept() == 0
    assert bytes(again[99 * KIB : 100 * KIB]) == b"x" * KIB
    del smaller


@needs_c
def test_so_much_is_kept_and_no_more(nothing_kept: None) -> None:
    _memory.keep(300 * KIB)
    blocks = [_memory.block(128 * KIB) for _ in range(5)]
    blocks.clear()
    assert _memory.kept() == 256 * KIB
    _memory.keep(200 * KIB)
    assert _memory.kept() == 128 * KIB
    del blocks
    large = _memory.block(17 * KIB * KIB)
    del large
    assert _memory.kept() == 128 * KIB
