"""Every message in every version: there and back, and nothing but ProtocolError on bad bytes."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.wire.compiler import codec
from ottla.wire.messages.metadata import MetadataRequest
from ottla.wire.schema import Field, Structure, Versioned, fields_of
from tests.unit.wire.plain_encoder import encode as plain_encode
from tests.unit.wire.strategies import (
    any_message,
    every_class,
    every_version,
    examples,
    version_name,
)

Class = type[Versioned]
S = TypeVar("S", bound=Structure)

each_version = pytest.mark.parametrize(("cls", "version"), every_version(), ids=version_name)

UNKNOWN_TAGS = [(100, b""), (20_000, bytes(200))]

PREFIX_BYTES_MAX = 600
"""Of longer messages only some prefixes are tried."""


def decoded(cls: Class, version: int, encoded: bytes) -> Versioned:
    """Decode from the middle of a buffer, as frames stand there."""
    end = 6 + len(encoded)
    message, position = codec(cls, version).decode(
        memoryview(b"before" + encoded + b"after"), 6, end
    )
    assert position == end
    return message


def decode_or_refuse(cls: Class, version: int, encoded: bytes) -> None:
    """Any bytes give a message that ends inside them, or the one error."""
    decode = codec(cls, version).decode
    try:
        _, position = decode(memoryview(encoded), 0, len(encoded))
    except ProtocolError as error:
        refusal = error.code
    else:
        assert 0 <= position <= len(encoded)
        return
    assert refusal == ErrorCode.INVALID_REQUEST


def assert_refused(cls: Class, version: int, buffer: bytes, end: int) -> None:
    with pytest.raises(ProtocolError) as refusal:
        codec(cls, version).decode(memoryview(buffer), 0, end)
    assert refusal.value.code == ErrorCode.INVALID_REQUEST
    assert cls.__name__ in str(refusal.value)


@each_version
def test_a_message_comes_back_as_it_was(cls: Class, version: int) -> None:
    @examples(4)
    @given(any_message(cls, version))
    def check(message: Versioned) -> None:
        encoded = bytes(codec(cls, version).encode(message))
        assert encoded == plain_encode(message, version)
        assert decoded(cls, version, encoded) == normal(message)

    check()


def normal(message: S) -> S:
    """A tagged structure that equals its default is not sent, and so comes back as None."""
    for field in fields_of(type(message)):
        value = getattr(message, field.name)
        if isinstance(value, list):
            items = [normal(each) if isinstance(each, Structure) else each for each in value]
            setattr(message, field.name, items)
        elif isinstance(value, Structure):
            sent = field.tag is None or value != type(value)()
            setattr(message, field.name, normal(value) if sent else None)
    return message


@each_version
def test_every_prefix_of_a_message_is_refused(cls: Class, version: int) -> None:
    @examples(1)
    @given(any_message(cls, version))
    def check(message: Versioned) -> None:
        encoded = bytes(codec(cls, version).encode(message))
        step = max(1, len(encoded) // PREFIX_BYTES_MAX)
        for end in range(0, len(encoded), step):
            assert_refused(cls, version, encoded, end)
            assert_refused(cls, version, encoded[:end], end)

    check()


@each_version
def test_mutated_bytes_give_a_message_or_the_one_error(cls: Class, version: int) -> None:
    @examples(4)
    @given(any_message(cls, version), st.data())
    def check(message: Versioned, data: st.DataObject) -> None:
        encoded = bytearray(codec(cls, version).encode(message))
        places = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4)
        for place, byte in data.draw(places):
            if encoded:
                encoded[place % len(encoded)] = byte
        decode_or_refuse(cls, version, bytes(encoded))

    check()


@each_version
def test_random_bytes_give_a_message_or_the_one_error(cls: Class, version: int) -> None:
    @examples(4)
    @given(st.binary(max_size=60))
    def check(noise: bytes) -> None:
        decode_or_refuse(cls, version, noise)

    check()


@each_version
def test_huge_claims_cost_no_memory(cls: Class, version: int) -> None:
    """Lengths and counts of up to four thousand millions, in every place that can hold one."""
    decode = codec(cls, version).decode
    claims = [b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff\x0f", b"\x7f\xff", b"\xfe\xff\xff\x7f"]
    noises = [bytes(lead) + claim * 8 for claim in claims for lead in range(12)]

    def try_all() -> None:
        for noise in noises:
            with contextlib.suppress(ProtocolError):
                decode(memoryview(noise), 0, len(noise))

    assert peak_of(try_all) < 64 * 1024


def test_the_smallest_elements_cost_memory_in_proportion() -> None:
    """Topics of two bytes each, the empty name: few elements take less on the wire."""
    count = 100_000
    frame = memoryview(count.to_bytes(4) + bytes(2 * count))
    decode = codec(MetadataRequest, 0).decode
    assert peak_of(lambda: decode(frame, 0, len(frame))) < 40 * len(frame)


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that were held at once beyond those held before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("cls", "version"),
    [(cls, version) for cls, version in every_version() if version in cls.FLEXIBLE],
    ids=version_name,
)
def test_tagged_fields_that_nobody_knows_are_skipped(cls: Class, version: int) -> None:
    @examples(2)
    @given(any_message(cls, version))
    def check(message: Versioned) -> None:
        encoded = plain_encode(message, version, unknown_tags=UNKNOWN_TAGS)
        assert decoded(cls, version, encoded) == normal(message)

    check()


def lacking(cls: Class, *, ignorable: bool) -> list[tuple[Class, int, Field]]:
    return [
        (cls, version, field)
        for version in cls.VERSIONS
        for field in fields_of(cls)
        if version not in field.versions and field.ignorable == ignorable
    ]


def other_than_default(field: Field) -> Any:
    kinds = {bool: True, int: 77, str: "other", bytes: b"x" * 16, type(None): "other", list: [1]}
    return not field.default if isinstance(field.default, bool) else kinds[type(field.default)]


def with_value(cls: Class, version: int, field: Field) -> tuple[Versioned, Versioned]:
    """A message with the field at its default, and the same one with another value."""
    message = minimal(cls, version)
    changed = minimal(cls, version)
    setattr(changed, field.name, other_than_default(field))
    return message, changed


def minimal(cls: Class, version: int) -> Versioned:
    found: list[Versioned] = []

    @examples(1)
    @given(any_message(cls, version))
    def take(message: Versioned) -> None:
        found.append(message)

    take()
    return found[0]


@pytest.mark.parametrize("cls", every_class(), ids=version_name)
def test_a_version_refuses_a_value_that_it_has_no_place_for(cls: Class) -> None:
    for _, version, field in lacking(cls, ignorable=False):
        message, changed = with_value(cls, version, field)
        codec(cls, version).encode(message)
        with pytest.raises(ProtocolError, match=field.name) as refusal:
            codec(cls, version).encode(changed)
        assert refusal.value.code == ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize("cls", every_class(), ids=version_name)
def test_a_version_drops_an_ignorable_value_that_it_has_no_place_for(cls: Class) -> None:
    for _, version, field in lacking(cls, ignorable=True):
        message, changed = with_value(cls, version, field)
        assert codec(cls, version).encode(message) == codec(cls, version).encode(changed)
