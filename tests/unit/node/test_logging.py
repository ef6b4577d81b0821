"""Log lines for people, the event and then its fields; and for programs, as JSON."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ottla.node.logging import JsonFormatter, LineFormatter, log_to_stderr

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (?P<rest>.*)", re.DOTALL)


def line(level: int, message: str, **fields: object) -> str:
    """What the formatter makes of one event, without its time."""
    record = logging.LogRecord("ottla.broker", level, "file.py", 1, message, None, None)
    vars(record).update(fields)
    found = LINE.fullmatch(LineFormatter().format(record))
    assert found is not None
    return found["rest"]


def test_a_line_is_time_level_origin_and_event() -> None:
    assert line(logging.INFO, "stopped cleanly") == "info ottla.broker stopped cleanly"


def test_fields_follow_the_event_in_the_order_in_which_they_were_given() -> None:
    rest = line(logging.WARNING, "became leader", partition="orders-0", epoch=3)
    assert rest == "warning ottla.broker became leader partition=orders-0 epoch=3"


def test_what_a_client_sends_makes_no_line_of_its_own() -> None:
    rest = line(logging.WARNING, "slow request", client_id="a\n2026-11-21 error", api="Fetch")
    assert rest == "warning ottla.broker slow request client_id='a\\n2026-11-21 error' api=Fetch"


def test_what_a_client_sends_makes_no_field_of_its_own() -> None:
    rest = line(logging.WARNING, "slow request", client_id="a peer=::1", api="Fetch")
    assert rest == "warning ottla.broker slow request client_id='a peer=::1' api=Fetch"


def test_an_event_stays_on_its_line_whatever_it_names() -> None:
    rest = line(logging.WARNING, "refused: a\n2026-11-21 error\x1b[2J", api="Fetch")
    assert rest == "warning ottla.broker refused: a\\n2026-11-21 error\\x1b[2J api=Fetch"


def told_of_a_bug(formatter: logging.Formatter) -> list[str]:
    """The lines of an exception."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("ottla.test")
    logger.addHandler(handler)
    try:
        int("a mistake of ours")
    except ValueError:
        logger.exception("a bug", extra={"api": 3})
    return stream.getvalue().splitlines()


def test_a_traceback_follows_its_line() -> None:
    first, *rest = told_of_a_bug(LineFormatter())
    assert first.endswith("error ottla.test a bug api=3")
    assert rest[0].startswith("Traceback")
    assert rest[-1].startswith("ValueError: ")


def as_json(level: int, message: str, /, *arguments: object, **fields: object) -> dict[str, Any]:
    """What the formatter for programs makes of one event."""
    record = logging.LogRecord("ottla.broker", level, "file.py", 1, message, arguments, None)
    record.created, record.msecs = 1_795_249_474.1204, 120.4
    vars(record).update(fields)
    told: dict[str, Any] = json.loads(JsonFormatter().format(record))
    return told


def test_for_programs_an_event_is_an_object_with_its_fields() -> None:
    told = as_json(logging.WARNING, "became %s", "leader", partition="orders-0", epoch=3)
    assert list(told.items()) == [
        ("time", "2026-11-21T08:24:34.120Z"),
        ("level", "warning"),
        ("logger", "ottla.broker"),
        ("event", "became leader"),
        ("partition", "orders-0"),
        ("epoch", 3),
    ]


def test_a_field_takes_no_name_of_the_line_and_may_be_anything() -> None:
    told = as_json(logging.INFO, "serving", level="high", address=("::1", 9092), what=ValueError)
    assert (told["level"], told["level_"]) == ("info", "high")
    assert told["address"] == ["::1", 9092]
    assert told["what"] == "<class 'ValueError'>"


def test_for_programs_a_line_is_json_in_every_locale() -> None:
    record = logging.LogRecord("ottla", logging.INFO, "file.py", 1, "über\u2028", (), None)
    told = JsonFormatter().format(record)
    assert told.isascii()
    assert json.loads(told)["event"] == "über\u2028"


def test_for_programs_a_traceback_stays_on_the_line() -> None:
    (line,) = told_of_a_bug(JsonFormatter())
    told = json.loads(line)
    assert (told["event"], told["api"]) == ("a bug", 3)
    assert told["traceback"].startswith("Traceback")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was before the test when the test is over."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    for handler in before[1]:
        root.removeHandler(handler)
    yield root
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(("level", "told"), [("warning", ["w"]), ("info", ["i", "w"])])
def test_what_is_below_the_level_is_not_told(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch, level: str, told: list[str], form: str
) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    log_to_stderr(level, form)
    logger = logging.getLogger("ottla.test")
    logger.debug("d")
    logger.info("i")
    logger.warning("w")
    events = [text.rpartition(" ")[2].strip('"}') for text in errors.getvalue().splitlines()]
    assert events == told
    assert len(root.handlers) == 1
