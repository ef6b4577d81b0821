"""Times and durations as people type them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.cli.moments import format_duration, format_time, parse_duration_ms, parse_time_ms

NOW_MS = 1_777_600_000_123


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("250ms", 250),
        ("90s", 90_000),
        ("1.5h", 5_400_000),
        ("1h30m", 5_400_000),
        ("2d", 172_800_000),
        ("1w", 604_800_000),
        ("PT1H30M", 5_400_000),
        ("P1DT0.5S", 86_400_500),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "5", "h", "1y", "P", "PT", "-5m", "5 m", "1h later"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert parse_duration_ms(text) is None


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("now", NOW_MS),
        ("5m", NOW_MS - 300_000),
        ("-5m", NOW_MS - 300_000),
        ("2h ago", NOW_MS - 7_200_000),
        ("@1777600000", 1_777_600_000_000),
        ("@1777600000123", 1_777_600_000_123),
        ("2026-05-01T01:46:40Z", 1_777_600_000_000),
        ("2026-05-01T03:46:40.5+02:00", 1_777_600_000_500),
        ("1960-01-01T00:00Z", 0),
    ],
)
def test_times_are_read(text: str, ms: int) -> None:
    assert parse_time_ms(text, now_ms=NOW_MS) == ms


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clocks went an hour on at 02:00 of 2026-03-29."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("day", "now", "midnight"),
    [
        ("today", "2026-03-29T15:00+02:00", "2026-03-29T00:00+01:00"),
        ("yesterday", "2026-03-30T15:00+02:00", "2026-03-29T00:00+01:00"),
        ("today", "2026-10-25T15:00+01:00", "2026-10-25T00:00+02:00"),
    ],
)
def test_midnight_is_that_of_a_day_on_which_clocks_are_changed(
    day: str, now: str, midnight: str
) -> None:
    now_ms, midnight_ms = (
        round(datetime.fromisoformat(text).timestamp() * 1000) for text in (now, midnight)
    )
    assert parse_time_ms(day, now_ms=now_ms) == midnight_ms


def test_a_time_that_no_message_can_say_is_none() -> None:
    assert parse_time_ms("@9223372036854775808", now_ms=NOW_MS) is None


def test_days_begin_at_midnight_of_this_machine() -> None:
    today_ms, yesterday_ms = (parse_time_ms(day, now_ms=NOW_MS) for day in ("today", "yesterday"))
    assert today_ms is not None
    assert yesterday_ms is not None
    begin = datetime.fromtimestamp(today_ms / 1000).astimezone()
    assert (begin.hour, begin.minute, begin.second) == (0, 0, 0)
    assert 0 <= NOW_MS - today_ms < 90_000_000
    assert timedelta(hours=22) < timedelta(milliseconds=today_ms - yesterday_ms)
    named = begin.date().isoformat()
    assert parse_time_ms(named, now_ms=NOW_MS) == today_ms


@pytest.mark.parametrize("text", ["", "someday", "2026-13-01", "12", "@", "@x", "99999-01-01"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time_ms(text, now_ms=NOW_MS) is None


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_is_read_as_it_is_written(time_ms: int) -> None:
    assert parse_time_ms(format_time(time_ms), now_ms=0) == time_ms


def test_no_time_and_an_impossible_one_are_written_too() -> None:
    assert format_time(-1) == "-"
    assert format_time(2**62) == f"@{2**62}"
    assert datetime.fromisoformat(format_time(0)).astimezone(UTC).year == 1970


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0ms"),
        (999, "999ms"),
        (4_200, "4.2s"),
        (61_000, "1m1s"),
        (3_600_000, "1h"),
        (3_601_000, "1h"),
        (5_400_000, "1h30m"),
        (90_061_000, "1d1h"),
    ],
)
def test_durations_are_written_by_their_largest_units(ms: int, text: str) -> None:
    assert format_duration(ms) == text
