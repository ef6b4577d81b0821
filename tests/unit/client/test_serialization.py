"""Serializers: Java's bytes, both ways, and what they refuse."""

from __future__ import annotations

import dataclasses
import math
import uuid
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import UserError
from ottla.client.serialization import (
    BytesSerde,
    FloatSerde,
    IntSerde,
    JsonSerde,
    SerializationError,
    StringSerde,
    StructSerde,
    UuidSerde,
    VoidSerde,
)

WRITTEN_BY_JAVA: list[tuple[Any, Any, str]] = [
    (StringSerde(), "grün €", "6772c3bc6e20e282ac"),
    (StringSerde(), "", ""),
    (IntSerde(), 0, "00000000"),
    (IntSerde("int"), -1, "ffffffff"),
    (IntSerde("int"), 2**31 - 1, "7fffffff"),
    (IntSerde("int"), -(2**31), "80000000"),
    (IntSerde("int"), 305419896, "12345678"),
    (IntSerde("short"), 0, "0000"),
    (IntSerde("short"), -1, "ffff"),
    (IntSerde("short"), 2**15 - 1, "7fff"),
    (IntSerde("short"), -(2**15), "8000"),
    (IntSerde("short"), 258, "0102"),
    (IntSerde("long"), 0, "0000000000000000"),
    (IntSerde("long"), -1, "ffffffffffffffff"),
    (IntSerde("long"), 2**63 - 1, "7fffffffffffffff"),
    (IntSerde("long"), -(2**63), "8000000000000000"),
    (IntSerde("long"), 81985529216486895, "0123456789abcdef"),
    (FloatSerde("float"), 0.0, "00000000"),
    (FloatSerde("float"), -0.0, "80000000"),
    (FloatSerde("float"), 1.5, "3fc00000"),
    (FloatSerde("float"), -22499999744.0, "d0a7a358"),
    (FloatSerde("float"), math.inf, "7f800000"),
    (FloatSerde("double"), 0.0, "0000000000000000"),
    (FloatSerde("double"), -0.0, "8000000000000000"),
    (FloatSerde(), 1.5, "3ff8000000000000"),
    (FloatSerde(), -2.25e100, "d4c492e2ca475bed"),
    (FloatSerde(), -math.inf, "fff0000000000000"),
    (FloatSerde(), 3.14, "40091eb851eb851f"),
    (FloatSerde(), 5e-324, "0000000000000001"),
    (
        UuidSerde(),
        uuid.UUID("01234567-89ab-cdef-0123-456789abcdef"),
        "30313233343536372d383961622d636465662d303132332d343536373839616263646566",
    ),
    (BytesSerde(), b"\x01\x02", "0102"),
]


class Order(msgspec.Struct):
    number: int
    note: str | None = None


@dataclasses.dataclass
class Place:
    x: float


EVERY_SERDE: list[Any] = [
    BytesSerde(),
    StringSerde(),
    IntSerde(),
    FloatSerde(),
    UuidSerde(),
    VoidSerde(),
    JsonSerde(),
    StructSerde(Order),
    StructSerde(Order, "msgpack"),
]


@pytest.mark.parametrize(("serde", "value", "written"), WRITTEN_BY_JAVA)
def test_bytes_are_those_that_java_s_serializers_wrote(
    serde: Any, value: Any, written: str
) -> None:
    data = serde.serialize("t", value, [])
    assert data.hex() == written
    assert serde.deserialize("t", data, ()) == value


@pytest.mark.parametrize(
    ("kind", "written"), [("float", "7fc00000"), ("double", "7ff8" + "0" * 12)]
)
def test_not_a_number_is_java_s_too(kind: Literal["float", "double"], written: str) -> None:
    data = FloatSerde(kind).serialize("t", math.nan, [])
    assert data == bytes.fromhex(written)
    read = FloatSerde(kind).deserialize("t", data, ())
    assert read is not None
    assert math.isnan(read)


@pytest.mark.parametrize("serde", EVERY_SERDE, ids=lambda serde: type(serde).__name__)
def test_none_is_no_bytes_both_ways(serde: Any) -> None:
    assert serde.serialize("t", None, []) is None
    assert serde.deserialize("t", None, ()) is None


@pytest.mark.parametrize(
    ("serde", "value"),
    [
        (BytesSerde(), "text"),
        (StringSerde(), b"bytes"),
        (StringSerde(), "\ud800"),
        (StringSerde("ascii"), "é"),
        (IntSerde("short"), 2**15),
        (IntSerde("int"), 2**31),
        (IntSerde("long"), 2**63),
        (IntSerde(), 1.5),
        (IntSerde(), "1"),
        (FloatSerde("float"), 1e300),
        (FloatSerde(), "1"),
        (UuidSerde(), "01234567-89ab-cdef-0123-456789abcdef"),
        (VoidSerde(), b""),
        (JsonSerde(), object()),
        (StructSerde(Order), {"number": 1}),
        (StructSerde(Order), Place(1.0)),
        (StructSerde(Order, "msgpack"), Order(2**70)),
    ],
)
def test_what_is_no_value_of_the_type_is_refused(serde: Any, value: Any) -> None:
    with pytest.raises(SerializationError):
        serde.serialize("t", value, [])


@pytest.mark.parametrize(
    ("serde", "data"),
    [
        (StringSerde(), b"\xff"),
        (IntSerde("short"), b"123"),
        (IntSerde("int"), b""),
        (IntSerde("long"), b"1234"),
        (FloatSerde("float"), b"12345678"),
        (FloatSerde(), b"1234"),
        (UuidSerde(), b"nothing of the kind"),
        (UuidSerde(), b"\xff" * 36),
        (VoidSerde(), b""),
        (JsonSerde(), b"{"),
        (JsonSerde(), b'"\xff"'),
        (StructSerde(Order), b'{"number": "one"}'),
        (StructSerde(Order), b'{"number": 1} rest'),
        (StructSerde(Order, "msgpack"), b"\xc1"),
        (StructSerde(Order, "msgpack"), b""),
    ],
)
def test_what_is_no_bytes_of_the_type_is_refused(serde: Any, data: bytes) -> None:
    with pytest.raises(SerializationError):
        serde.deserialize("t", data, ())


def test_bytes_of_any_kind_are_taken() -> None:
    assert BytesSerde().serialize("t", bytearray(b"a"), []) == b"a"
    assert BytesSerde().serialize("t", memoryview(b"ab")[1:], []) == b"b"
    assert BytesSerde().deserialize("t", b"ab", ()) == b"ab"


def test_text_may_have_another_encoding() -> None:
    assert StringSerde("latin-1").serialize("t", "é", []) == b"\xe9"
    assert StringSerde("utf-8", errors="replace").deserialize("t", b"a\xff", ()) == "a\ufffd"
    with pytest.raises(LookupError):
        StringSerde("klingon")


Json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=Json.filter(lambda value: value is not None))
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert JsonSerde().deserialize("t", JsonSerde().serialize("t", value, []), ()) == value


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_structs_and_dataclasses_come_back_as_they_were(form: Literal["json", "msgpack"]) -> None:
    orders, places = StructSerde(Order, form), StructSerde(Place, form)
    order, place = Order(7, "é"), Place(1.5)
    assert orders.deserialize("t", orders.serialize("t", order, []), ()) == order
    assert places.deserialize("t", places.serialize("t", place, []), ()) == place


def test_lists_of_structs_are_a_type_too() -> None:
    serde = StructSerde(list[Order])
    assert serde.deserialize("t", serde.serialize("t", [Order(1)], []), ()) == [Order(1)]


def test_unknown_kinds_and_formats_are_refused() -> None:
    with pytest.raises(UserError):
        IntSerde("byte")  # type: ignore[arg-type]  # what a program without mypy may say
    with pytest.raises(UserError):
        FloatSerde("half")  # type: ignore[arg-type]  # the same
    with pytest.raises(UserError):
        StructSerde(Order, "xml")  # type: ignore[arg-type]  # the same
