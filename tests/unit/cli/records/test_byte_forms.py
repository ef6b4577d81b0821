"""Bytes as text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import UserError
from ottla.cli.records.byte_forms import FORMS, bytes_of, form_of


@given(st.binary(max_size=40), st.sampled_from(["hex", "base64"]))
def test_hex_and_base64_carry_any_bytes(data: bytes, form: str) -> None:
    assert bytes_of(form_of(form)(data), form) == data


@given(st.binary(max_size=40))
def test_typed_text_that_was_no_utf8_is_the_bytes_that_it_was(data: bytes) -> None:
    assert bytes_of(data.decode("utf-8", "surrogateescape"), "text") == data


@pytest.mark.parametrize(
    ("form", "text", "data"),
    [
        ("short", "-2", b"\xff\xfe"),
        ("int", "7", b"\0\0\0\x07"),
        ("long", "-1", b"\xff" * 8),
        ("double", "1.5", b"\x3f\xf8" + bytes(6)),
        ("float", "1.5", b"\x3f\xc0\0\0"),
    ],
)
def test_numbers_are_those_of_javas_serializers(form: str, text: str, data: bytes) -> None:
    assert bytes_of(text, form) == data
    assert form_of(form)(data) == text


@pytest.mark.parametrize("form", FORMS)
@given(data=st.binary(max_size=20))
def test_every_form_writes_any_bytes_in_one_line(form: str, data: bytes) -> None:
    told = form_of(form)(data)
    if form in ("hex", "base64", "json", "long"):
        assert "\n" not in told
    told.encode()


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("hex", "f"),
        ("base64", "§"),
        ("int", "x"),
        ("int", "3000000000"),
        ("json", "{"),
        ("uuid", "1"),
        ("double", "x"),
    ],
)
def test_what_is_not_of_its_form_is_refused(form: str, text: str) -> None:
    with pytest.raises(UserError, match="is not " + form):
        bytes_of(text, form)


def test_json_is_written_compactly_and_text_as_json() -> None:
    assert form_of("json")(b'{ "a" : [1,\n 2] }') == '{"a":[1,2]}'
    assert form_of("json")(b'say "hi"') == '"say \\"hi\\""'


def test_json_that_no_text_can_hold_or_no_reader_gets_to_the_end_of_is_a_string() -> None:
    assert form_of("json")(b'"\\ud800"') == '"\\"\\\\ud800\\""'
    deep = b"[" * 100_000
    assert form_of("json")(deep) == f'"{deep.decode()}"'
    with pytest.raises(UserError, match="is not json"):
        bytes_of(deep.decode(), "json")
