"""The last offset of each key, in bounded memory."""

from __future__ import annotations

import random

import pytest

from ottla.log.compaction.offset_map import ENTRY_BYTES, OffsetMap


def test_the_newest_offset_of_a_key_is_kept() -> None:
    offsets = OffsetMap(1 << 20, 0.9, keys_max=100)
    offsets.put(b"a", 0)
    offsets.put(b"b", 1)
    offsets.put(b"a", 2)
    assert (offsets.get(b"a"), offsets.get(b"b"), offsets.get(b"c")) == (2, 1, -1)
    assert offsets.count == 2


def test_a_full_map_still_finds_everything() -> None:
    offsets = OffsetMap(ENTRY_BYTES * 1000, 1.0, keys_max=1 << 40)
    keys = [b"%d" % number for number in range(offsets.capacity)]
    for offset, key in enumerate(keys):
        assert not offsets.is_full
        offsets.put(key, offset)
    assert offsets.is_full
    assert [offsets.get(key) for key in keys] == list(range(len(keys)))
    assert offsets.get(b"not there") == -1


@pytest.mark.parametrize("memory_bytes", [0, 1, ENTRY_BYTES * 10, 1 << 20])
def test_it_takes_no_more_than_it_is_given_but_for_the_least(memory_bytes: int) -> None:
    offsets = OffsetMap(memory_bytes, 0.9, keys_max=1 << 40)
    assert offsets.memory_bytes <= max(memory_bytes, 3 * ENTRY_BYTES)
    assert 1 <= offsets.capacity < offsets.slots


def test_a_small_log_takes_little_memory() -> None:
    offsets = OffsetMap(128 << 20, 0.9, keys_max=100)
    assert offsets.capacity >= 100
    assert offsets.memory_bytes < 4096


def test_it_agrees_with_a_dictionary() -> None:
    chooser = random.Random(5)
    offsets, model = OffsetMap(ENTRY_BYTES * 600, 0.9, keys_max=1 << 40), dict[bytes, int]()
    for offset in range(5000):
        key = b"%d" % chooser.randrange(500)
        offsets.put(key, offset)
        model[key] = offset
    assert {key: offsets.get(key) for key in model} == model
    assert offsets.count == len(model)
