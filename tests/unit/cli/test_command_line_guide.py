"""docs/guides/command-line.md: every command that it shows can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tests.unit.cli.test_examples import COMMANDS, OTHER_COMMANDS

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "command-line.md"
SHOWN = re.findall(r"^\$ (?:.*\| )?ottla (.*)$", GUIDE.read_text("utf-8"), re.MULTILINE)


def test_the_guide_shows_every_verb_that_it_is_about() -> None:
    shown = {command.split()[0] for command in SHOWN}
    assert {"produce", "consume", "group", "perf"} <= shown
    assert len(SHOWN) > 15


@pytest.mark.parametrize("shown", SHOWN)
def test_a_command_of_the_guide_can_be_typed(shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = shlex.split(OTHER_COMMANDS.split(shown)[0])
    path = next(path for path in COMMANDS if tuple(arguments[: len(path)]) == path)
    monkeypatch.setattr(click.File, "convert", lambda _, value, *__: value)
    COMMANDS[path].make_context(path[-1], arguments[len(path) :])
