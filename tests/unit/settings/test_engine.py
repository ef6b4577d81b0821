"""Declarations, layers, and the messages that people read."""

import pytest

from ottla.settings.checks import at_least, between, each_one_of
from ottla.settings.engine import (
    Assigned,
    ConfigSource,
    Layer,
    Layers,
    Setting,
    SettingError,
    SettingTable,
    Synonym,
    UnknownSettingError,
)
from ottla.settings.values import SettingKind

UPPER = SettingTable("upper setting")
LOWER = SettingTable("lower setting")
HOUR_MS = 3_600_000

KEEP_MS = UPPER.declare(
    SettingKind.LONG,
    "keep.ms",
    2 * HOUR_MS,
    "How long.",
    check=at_least(-1),
    synonyms=[Synonym("log.keep.ms"), Synonym("log.keep.hours", HOUR_MS)],
)
SHARE = UPPER.declare(SettingKind.DOUBLE, "share", 0.5, "How much.", check=between(0, 1))
POLICY = UPPER.declare(
    SettingKind.LIST, "policy", ("delete",), "What.", check=each_one_of("compact", "delete")
)
LOG_KEEP_MS: Setting[int | None] = LOWER.declare(SettingKind.LONG, "log.keep.ms", None, "Long.")
LOG_KEEP_HOURS = LOWER.declare(SettingKind.INT, "log.keep.hours", 2, "Long.")
TOKEN = LOWER.declare(
    SettingKind.PASSWORD, "token", "", "Secret.", check=each_one_of("never-matches")
)


def lower(**static: str) -> Layers:
    texts = {name.replace("_", "."): text for name, text in static.items()}
    return Layers(LOWER, [Layer(ConfigSource.STATIC_BROKER, texts)])


def upper(texts: dict[str, str], below: Layers) -> Layers:
    return Layers(UPPER, [Layer(ConfigSource.DYNAMIC_TOPIC, texts)], below)


def test_a_value_is_typed_by_its_declaration() -> None:
    layers = upper({"keep.ms": " 7 ", "policy": "compact"}, lower())
    kept: int = layers[KEEP_MS]
    assert kept == 7
    assert layers[POLICY] == ("compact",)
    assert layers[SHARE] == 0.5


def test_the_first_synonym_that_is_set_wins_and_units_are_converted() -> None:
    assert upper({}, lower())[KEEP_MS] == 2 * HOUR_MS
    assert upper({}, lower(log_keep_hours="100"))[KEEP_MS] == 100 * HOUR_MS
    assert upper({}, lower(log_keep_hours="100", log_keep_ms="5"))[KEEP_MS] == 5


def test_no_limit_stays_no_limit_in_every_unit() -> None:
    assert upper({}, lower(log_keep_hours="-1"))[KEEP_MS] == -1


def test_the_chain_names_every_place_strongest_first() -> None:
    resolved = upper({"keep.ms": " 5 "}, lower(log_keep_hours="100")).resolve(KEEP_MS)
    assert (resolved.value, resolved.text, resolved.source) == (
        5,
        " 5 ",
        ConfigSource.DYNAMIC_TOPIC,
    )
    assert resolved.chain == (
        Assigned("keep.ms", " 5 ", ConfigSource.DYNAMIC_TOPIC, 5),
        Assigned("log.keep.hours", "100", ConfigSource.STATIC_BROKER, 100 * HOUR_MS),
        Assigned("log.keep.hours", "2", ConfigSource.DEFAULT, 2 * HOUR_MS),
    )


def test_a_value_from_below_is_written_in_our_unit_with_its_source() -> None:
    resolved = upper({}, lower(log_keep_hours="100")).resolve(KEEP_MS)
    assert (resolved.text, resolved.source) == ("360000000", ConfigSource.STATIC_BROKER)


def test_a_setting_without_any_value_resolves_to_nothing() -> None:
    resolved = lower().resolve(LOG_KEEP_MS)
    assert (resolved.value, resolved.text, resolved.source) == (None, None, ConfigSource.DEFAULT)
    assert resolved.chain == ()


def test_a_refusal_names_key_value_and_what_is_allowed() -> None:
    with pytest.raises(SettingError, match=r"share .*'2\.0'.* 0 and 1"):
        SHARE.parse("2")
    with pytest.raises(SettingError, match=r"policy .*'bad'.* compact, delete"):
        POLICY.parse("delete,bad")


def test_a_refused_secret_is_not_shown() -> None:
    with pytest.raises(SettingError) as error:
        TOKEN.parse("hunter2")
    assert "hunter2" not in str(error.value)


def test_an_unknown_key_is_refused_with_the_nearest_ones() -> None:
    with pytest.raises(UnknownSettingError, match=r"called 'log\.keep\.hour'; did you mean log"):
        LOWER.parse_all({"log.keep.hour": "5"})
    with pytest.raises(UnknownSettingError) as error:
        LOWER.parse_all({"zzz": "5"})
    assert "did you mean" not in str(error.value)


def test_an_unknown_key_is_reported_before_a_bad_value() -> None:
    with pytest.raises(UnknownSettingError):
        UPPER.parse_all({"keep.ms": "x", "bogus": "1"})


def test_two_declarations_of_one_key_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two declarations"):
        UPPER.declare(SettingKind.INT, "share", 1, "Again.")
