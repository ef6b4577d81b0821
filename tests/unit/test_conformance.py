"""Everything of Kafka's has its line: served or followed, or the reason why not."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

from ottla.broker.discovery import load_handlers
from ottla.broker.handlers import handlers
from ottla.metadata.features import SUPPORTED
from tests.conformance.kafka import load
from tests.conformance.page import PAGE, TABLES, page, reason_for, why_idle, why_unknown
from tests.conformance.reasons import FEATURES, NOT_KNOWN, NOT_SERVED, REMARKS, WITHOUT_EFFECT

SOURCES: Final = Path(__file__).parents[2] / "src" / "ottla"
DECLARED: Final = re.compile(
    r"^(?P<constant>[A-Z][A-Z_]+)\b[^\n]*= SETTINGS\.declare\(\s*(?P<kind>[\w.]+),\s*"
    r"(?P<name>\"[\w.]+\"|[A-Z_]+)",
    re.MULTILINE,
)

load_handlers()
kafka = load()


def test_an_api_is_called_as_kafka_calls_it() -> None:
    names = {api.key: f"{api.name}Request" for api in kafka.apis}
    served = {each.api_key: each.request_type.__name__ for each in handlers.values()}
    assert served == {key: names[key] for key in served}


def test_an_api_that_is_not_served_has_a_reason() -> None:
    served = {handler.api_key for handler in handlers.values()}
    assert {api.key for api in kafka.apis} == served | NOT_SERVED.keys()


def test_a_feature_says_what_follows_it() -> None:
    assert FEATURES.keys() == SUPPORTED.keys()


def test_a_setting_that_is_not_known_has_a_reason() -> None:
    for noun, (_, table) in TABLES.items():
        for name in kafka.settings[noun]:
            assert name in table or why_unknown(name)


def test_a_setting_without_effect_is_known() -> None:
    known = {setting.name for _, table in TABLES.values() for setting in table}
    assert WITHOUT_EFFECT.keys() <= known


def test_a_setting_that_is_followed_is_read_somewhere() -> None:
    """Where its constant is used, or, in the logs' own settings, its name."""
    folder = SOURCES / "settings"
    texts = {path: path.read_text() for path in SOURCES.rglob("*.py")}
    words = Counter(word for text in texts.values() for word in re.findall(r"\w+", text))
    beyond = "\n".join(text for path, text in texts.items() if path.parent != folder)
    declared = [
        (found["constant"], found["name"].strip('"'))
        for path, text in texts.items()
        if path.parent == folder
        for found in DECLARED.finditer(text)
    ]
    assert len(declared) > 100
    unread = {
        name for constant, name in declared if words[constant] == 1 and f'"{name}"' not in beyond
    }
    assert {name for name in unread if not why_idle(name)} == set()


# -- nothing is stale ------------------------------------------------------------------------------


def test_no_reason_is_left_of_an_api_that_is_served() -> None:
    served = {handler.api_key for handler in handlers.values()}
    assert not served & NOT_SERVED.keys()
    assert REMARKS.keys() <= served


def test_no_reason_is_left_of_a_setting_that_is_known() -> None:
    unknown = [
        name
        for noun, (_, table) in TABLES.items()
        for name in kafka.settings[noun]
        if name not in table
    ]
    assert {reason_for(name) for name in unknown} == NOT_KNOWN.keys()


def test_the_page_is_as_the_code_is() -> None:
    assert PAGE.read_text() == page(), "run `make conformance`"
