"""Log lines for people: the event, then its fields."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator

import pytest

from ottla.node.logging import LineFormatter, log_to_stderr

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


def test_a_traceback_follows_its_line() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    logger = logging.Logger("ottla.test")
    logger.addHandler(handler)
    try:
        int("a mistake of ours")
    except ValueError:
        logger.exception("a bug", extra={"api": 3})
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("error ottla.test a bug api=3")
    assert rest[0].startswith("Traceback")
    assert rest[-1].startswith("ValueError: ")


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


@pytest.mark.parametrize(("level", "told"), [("warning", ["w"]), ("info", ["i", "w"])])
def test_what_is_below_the_level_is_not_told(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch, level: str, told: list[str]
) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    log_to_stderr(level)
    logger = logging.getLogger("ottla.test")
    logger.debug("d")
    logger.info("i")
    logger.warning("w")
    assert [text.rpartition(" ")[2] for text in errors.getvalue().splitlines()] == told
    assert len(root.handlers) == 1
