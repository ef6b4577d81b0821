"""Templates: fields, forms, escapes; and what would steer a terminal."""

from __future__ import annotations

import pytest

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.records.template import FIELDS, Look, Template, unescape
from ottla.wire.records.record import Record

PLACE = TopicPartition("orders", 3)
RECORD = Record(7, 1_777_600_000_123, b"k", b"v\xff", (("a", b"1"), ("b", None), ("a", b"2")))


def line(text: str, record: Record = RECORD, *, for_people: bool = False) -> bytes:
    return Template.read(text, Look(for_people=for_people)).line(PLACE, record)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{topic}-{partition}@{offset}", b"orders-3@7"),
        ("{key}={value}", b"k=v\xff"),
        ("{value:hex} {value:text} {value:base64}", b"76ff v\\xff dv8="),
        ("{timestamp} {key_size} {value_size}", b"1777600000123 1 2"),
        ("{header.a} {header.b} {header.none}", b"2 null null"),
        ("{headers}", b"a=1,b=null,a=2"),
        ("{headers:hex}", b"a=31,b=null,a=32"),
        ("{{{key}}}\\t|\\n\\x41\\u00e9\\\\", "{k}\t|\nAé\\".encode()),
        ("{time:%Y}", b"2026"),
    ],
)
def test_fields_are_written(text: str, told: bytes) -> None:
    assert line(text) == told


def test_nulls_and_times_that_are_not_there_are_written_too() -> None:
    empty = Record()
    assert line("{key} {value:hex} {headers}|{time}|{time:%Y}|{key_size}", empty) == (
        b"null null |-|-|-1"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{what}", ", ".join(FIELDS[:2])),
        ("{value:what}", "a form is one of"),
        ("{offset:hex}", "only keys, values"),
        ("{key", "a single {"),
        ("}", "a single }"),
    ],
)
def test_what_cannot_be_written_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        Template.read(text, Look())
    assert words in str(refused.value)


def test_a_terminal_is_not_steered_by_records() -> None:
    record = Record(0, 0, None, "\x1b[31mred\x07\x9b\ttab\nline é".encode())
    assert line("{value}", record, for_people=True).decode() == (
        "\\x1b[31mred\\x07\\x9b\ttab\nline é"
    )
    assert line("{value}", record) == record.value


def test_headers_names_do_not_steer_a_terminal_either() -> None:
    record = Record(0, 0, None, None, (("\x1b[31m", b"v"),))
    assert line("{headers}", record, for_people=True) == b"\\x1b[31m=v"
    assert line("{headers}", record) == b"\x1b[31m=v"


def test_a_time_of_no_calendar_is_written_as_a_number() -> None:
    assert line("{time}|{time:%H}", Record(0, 2**55)) == b"@36028797018963968|@36028797018963968"


def test_unknown_escapes_stand_for_themselves() -> None:
    assert unescape("\\q\\0\\e\\xzz") == "q\0\x1bxzz"
