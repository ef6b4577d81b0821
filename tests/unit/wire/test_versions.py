from __future__ import annotations

import pytest

from ottla.wire.versions import ALL_VERSIONS, NO_VERSIONS, VersionRange, parse_versions


@pytest.mark.parametrize("text", ["0-4", "3+", "7", "none"])
def test_a_range_prints_as_it_was_written(text: str) -> None:
    assert str(parse_versions(text)) == text


def test_both_ends_belong_to_a_range() -> None:
    assert list(parse_versions("3-5")) == [3, 4, 5]
    assert 2 not in parse_versions("3-5")
    assert 5 in parse_versions("3-5")
    assert 6 not in parse_versions("3-5")


def test_an_open_range_has_no_last_version() -> None:
    assert 32767 in parse_versions("3+")
    assert 2 not in parse_versions("3+")


def test_none_is_empty() -> None:
    assert not NO_VERSIONS
    assert 0 not in NO_VERSIONS
    assert parse_versions("none") == NO_VERSIONS


def test_ranges_intersect() -> None:
    assert parse_versions("3+").intersection(parse_versions("0-5")) == VersionRange(3, 5)
    assert not parse_versions("3+").intersection(parse_versions("0-2"))
    assert ALL_VERSIONS.intersection(parse_versions("2-3")) == VersionRange(2, 3)


@pytest.mark.parametrize("text", ["", "4-3", "a", "1-", "-1", "1-2-3"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_versions(text)
