"""Checking many batches at once: the form in Python and the one in C give the same answers."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.wire.records.batch import build_batch, iter_batches, patch_placement
from ottla.wire.records.record import Record
from ottla.wire.records.survey import (
    COLUMNS,
    IS_COMPILED,
    Stop,
    Survey,
    Surveying,
    survey_in_c,
    survey_in_python,
)

needs_c = pytest.mark.skipif(
    not IS_COMPILED, reason="the C twin was not compiled: no C compiler or no Python.h"
)
FORMS = [
    pytest.param(survey_in_python, id="python"),
    pytest.param(survey_in_c, id="c", marks=needs_c),
]
EVERY_FORM = pytest.mark.parametrize("survey", FORMS)


def batches(count: int, *, first_offset: int = 0, size: int = 20) -> bytes:
    """Batches of 1, 2, 3… records, each of an epoch and a producer of its own."""
    content = bytearray()
    offset = first_offset
    for number in range(count):
        batch = build_batch(
            [Record(timestamp=1000 * number + n, value=bytes(size)) for n in range(number + 1)],
            producer_id=number * 10 - 10 if number else -1,
            producer_epoch=number,
            base_sequence=0,
        )
        patch_placement(batch, 0, offset, number)
        offset += number + 1
        content += batch
    return bytes(content)


@EVERY_FORM
def test_columns_tell_what_the_headers_say(survey: Surveying) -> None:
    content = batches(4, first_offset=7)
    found = survey(content, 500, 7)
    headers = [header for header, _ in iter_batches(content)]
    assert (found.stop, found.size, len(found)) == (Stop.CUT, len(content), 4)
    assert list(found.bases) == [7, 8, 10, 13]
    assert list(found.nexts) == [8, 10, 13, 17]
    assert found.positions[0] == 500
    assert found.positions[1] == 500 + headers[0].size
    assert list(found.max_timestamps) == [header.max_timestamp for header in headers]
    assert list(found.epochs) == [0, 1, 2, 3]
    assert list(found.producer_ids) == [-1, 0, 10, 20]
    assert [found.header(index) for index in range(4)] == headers
    assert [bytes(found.batch(index)) for index in range(4)] == [
        bytes(batch) for _, batch in iter_batches(content)
    ]


@EVERY_FORM
def test_nothing_is_found_in_nothing(survey: Surveying) -> None:
    for content in (b"", bytes(60)):
        found = survey(content, 0, 0)
        assert (found.stop, found.size, len(found)) == (Stop.CUT, 0, 0)


@EVERY_FORM
def test_a_cut_batch_waits_for_more_bytes(survey: Surveying) -> None:
    content = batches(3)
    whole = survey(content, 0, 0)
    for end in range(whole.positions[2], len(content)):
        found = survey(content[:end], 0, 0)
        assert (found.stop, found.size) == (Stop.CUT, whole.positions[2])


@EVERY_FORM
def test_offsets_must_not_go_back_but_may_leave_holes(survey: Surveying) -> None:
    content = batches(2, first_offset=5)
    assert len(survey(content, 0, 5)) == 2
    assert len(survey(content, 0, 3)) == 2
    assert survey(content, 0, 6).stop is Stop.INVALID
    assert survey(content + content, 0, 0).size == len(content)


@EVERY_FORM
@pytest.mark.parametrize("at", [8, 16, 17, 21, 23, 27, 43, 57, 61, 70])
def test_a_damaged_batch_ends_it(survey: Surveying, at: int) -> None:
    content = bytearray(batches(3))
    second = survey(bytes(content), 0, 0).positions[1]
    content[second + at] ^= 0x80
    found = survey(content, 0, 0)
    assert (len(found), found.stop, found.size) == (1, Stop.INVALID, second)


@EVERY_FORM
def test_a_batch_that_counts_backwards_is_none(survey: Surveying) -> None:
    content = bytearray(batches(1))
    struct.pack_into(">i", content, 23, -2)
    assert survey(content, 0, 0).stop is Stop.INVALID


@EVERY_FORM
def test_any_kind_of_buffer_will_do(survey: Surveying) -> None:
    content = batches(2)
    for buffer in (content, bytearray(content), memoryview(content)):
        assert survey(buffer, 0, 0).size == len(content)


@needs_c
@given(st.integers(0, 2**32), st.integers(0, 6), st.integers(0, 3), st.integers(0, 1000))
def test_both_forms_agree_on_damaged_bytes(seed: int, count: int, damages: int, cut: int) -> None:
    rng = random.Random(seed)
    content = bytearray(batches(count, size=rng.choice([0, 3, 50, 3000])))
    for _ in range(damages if content else 0):
        content[rng.randrange(len(content))] = rng.randrange(256)
    del content[len(content) - min(cut, len(content)) :]
    assert told(survey_in_c(content, 9, 0)) == told(survey_in_python(content, 9, 0))


def told(found: Survey) -> tuple[object, ...]:
    return (found.stop, found.size, *(list(column) for column in found[-COLUMNS:]))
