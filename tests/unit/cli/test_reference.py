"""docs/operating/cli.md says what the commands say."""

from __future__ import annotations

from tests.cli_reference import PAGE, text


def test_the_reference_is_the_help_of_the_commands_that_there_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == text(), "stale: make cli-reference"
