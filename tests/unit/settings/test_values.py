"""Texts to typed values, as Apache Kafka 4.3.1 reads them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.settings.values import SettingKind, Value, format_value, parse_value


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (SettingKind.BOOLEAN, " TRUE ", True),
        (SettingKind.BOOLEAN, "false", False),
        (SettingKind.LONG, " 5 ", 5),
        (SettingKind.LONG, "+5", 5),
        (SettingKind.LONG, "-9223372036854775808", -(2**63)),
        (SettingKind.INT, "+05", 5),
        (SettingKind.SHORT, "32767", 32767),
        (SettingKind.DOUBLE, " .5d ", 0.5),
        (SettingKind.DOUBLE, "0.5f", 0.5),
        (SettingKind.DOUBLE, "1e-1", 0.1),
        (SettingKind.DOUBLE, "1.", 1.0),
        (SettingKind.LIST, "", ()),
        (SettingKind.LIST, " compact , delete ", ("compact", "delete")),
        (SettingKind.LIST, "delete,delete", ("delete",)),
        (SettingKind.STRING, " lz4 ", "lz4"),
        (SettingKind.PASSWORD, " secret ", " secret "),
    ],
)
def test_reads_the_spellings_that_kafka_takes(kind: SettingKind, text: str, value: Value) -> None:
    assert parse_value(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (SettingKind.BOOLEAN, "yes", "true or false"),
        (SettingKind.BOOLEAN, "", "true or false"),
        (SettingKind.LONG, "", "to 9223372036854775807"),
        (SettingKind.LONG, "x", "to 9223372036854775807"),
        (SettingKind.LONG, "0x5", "to 9223372036854775807"),
        (SettingKind.LONG, "1_000", "to 9223372036854775807"),
        (SettingKind.LONG, "9223372036854775808", "to 9223372036854775807"),
        (SettingKind.LONG, "9" * 30, "to 9223372036854775807"),
        (SettingKind.INT, "99999999999", "to 2147483647"),
        (SettingKind.INT, "٣", "to 2147483647"),
        (SettingKind.SHORT, "32768", "to 32767"),
        (SettingKind.DOUBLE, "abc", "decimal number"),
        (SettingKind.DOUBLE, ".", "decimal number"),
        (SettingKind.DOUBLE, "NaN", "decimal number"),
        (SettingKind.DOUBLE, "1e999", "decimal number"),
        (SettingKind.LIST, "delete,", "empty"),
    ],
)
def test_says_what_a_bad_text_should_have_been(kind: SettingKind, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_value(kind, text)


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_come_back_from_their_text(number: int) -> None:
    assert parse_value(SettingKind.LONG, str(format_value(number))) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimal_numbers_come_back_from_their_text(number: float) -> None:
    assert parse_value(SettingKind.DOUBLE, str(format_value(number))) == number


def test_texts_are_written_as_kafka_writes_them() -> None:
    assert format_value(True) == "true"
    assert format_value(("compact", "delete")) == "compact,delete"
    assert format_value(()) == ""
    assert format_value(1.7976931348623157e308) == "1.7976931348623157E308"
    assert format_value(0.5) == "0.5"
    assert format_value(None) is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SettingKind.DOUBLE, "1" * 32767),
        (SettingKind.DOUBLE, "1" * 32766 + "x"),
        (SettingKind.LIST, "a" + " " * 32765 + "a"),
        (SettingKind.LIST, " ," * 16383),
    ],
)
def test_the_longest_text_is_read_at_once(kind: SettingKind, text: str) -> None:
    began_s = time.process_time()
    try:
        parse_value(kind, text)
    except ValueError:
        assert kind is SettingKind.DOUBLE or "," in text
    assert time.process_time() - began_s < 0.5
