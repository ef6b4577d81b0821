from __future__ import annotations

from typing import Annotated, Any

import pytest

from ottla.wire.schema import (
    Array,
    ArrayOf,
    Int16,
    Int32,
    Message,
    NullableArray,
    NullableString,
    Structure,
    StructureOf,
    between,
    fields_of,
    ignorable,
    message,
    nullable,
    since,
    tagged,
    until,
)
from ottla.wire.versions import ALL_VERSIONS, VersionRange, parse_versions


class Part(Structure, kw_only=True):
    number: Int32


class Whole(Structure, kw_only=True):
    name: Annotated[NullableString, nullable(since=2)]
    parts: NullableArray[Part]
    old: Annotated[Int16, until(3)] = 0
    new: Annotated[Int16, since(4), ignorable] = 0
    middle: Annotated[Array[Int32], between(2, 3)] = []  # noqa: RUF012 - msgspec copies it
    part: Part | None = None
    extra: Annotated[Part | None, since(4), tagged(1)] = None


def field(name: str) -> Any:
    return {each.name: each for each in fields_of(Whole)}[name]


def test_fields_keep_their_order() -> None:
    names = [each.name for each in fields_of(Whole)]
    assert names == ["name", "parts", "old", "new", "middle", "part", "extra"]


def test_windows_are_read_from_the_line() -> None:
    assert field("name").versions == ALL_VERSIONS
    assert field("old").versions == VersionRange(0, 3)
    assert field("new").versions == parse_versions("4+")
    assert field("middle").versions == VersionRange(2, 3)


def test_null_is_allowed_where_the_line_says_so() -> None:
    assert field("name").nullable == parse_versions("2+")
    assert field("parts").nullable == ALL_VERSIONS
    assert not field("middle").nullable


def test_a_structure_or_none_is_nullable_unless_it_is_tagged() -> None:
    assert field("part").nullable == ALL_VERSIONS
    assert not field("extra").nullable
    assert field("extra").tag == 1


def test_arrays_know_what_they_hold() -> None:
    assert field("parts").type == ArrayOf(StructureOf(Part))


def test_only_marked_fields_are_ignorable() -> None:
    assert field("new").ignorable
    assert not field("old").ignorable


def test_an_empty_list_as_default_is_not_shared() -> None:
    first, second = Whole(name="a", parts=None), Whole(name="b", parts=None)
    first.middle.append(1)
    assert second.middle == []


def test_a_field_that_some_version_lacks_needs_a_default() -> None:
    class Wrong(Structure, kw_only=True):
        late: Annotated[Int32, since(1)]

    with pytest.raises(TypeError, match="needs a default"):
        fields_of(Wrong)


def test_tagged_fields_stand_last() -> None:
    class Wrong(Structure, kw_only=True):
        early: Annotated[Int32, tagged(0)] = 0
        late: Int32 = 0

    with pytest.raises(TypeError, match="tagged fields stand last"):
        fields_of(Wrong)


def test_tagged_fields_stand_in_the_order_of_their_tags() -> None:
    class Wrong(Structure, kw_only=True):
        second: Annotated[Int32, tagged(1)] = 0
        first: Annotated[Int32, tagged(0)] = 0

    with pytest.raises(TypeError, match="order of their tags"):
        fields_of(Wrong)


def test_a_plain_python_type_is_no_field_type() -> None:
    class Wrong(Structure, kw_only=True):
        count: int

    with pytest.raises(TypeError, match="not a field type"):
        fields_of(Wrong)


def test_a_message_is_a_request_or_a_response() -> None:
    with pytest.raises(ValueError, match="neither"):

        @message(key=3000, versions="0", flexible="none")
        class Wrong(Message, kw_only=True):
            count: Int32


def test_an_api_key_belongs_to_one_request() -> None:
    from ottla.wire.messages.produce import ProduceRequest

    with pytest.raises(ValueError, match="two requests for 0"):
        message(key=ProduceRequest.API_KEY, versions="0", flexible="none")(ProduceRequest)
