"""A person is asked before something is gone; a program is not."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import click
import pytest

from ottla.base.errors import UserError
from ottla.cli.confirmation import yes_option


class Terminal(io.StringIO):
    """Where a person types."""

    def isatty(self) -> bool:
        return True


@click.command()
@yes_option
def drop(confirm: Callable[[str], None]) -> None:
    confirm("Drop it?")
    click.echo("dropped")


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit):
        drop(list(arguments), prog_name="drop")


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda typed: monkeypatch.setattr(sys, "stdin", Terminal(typed))


def test_a_person_who_says_no_is_heard(
    person: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    person("n\n")
    with pytest.raises(UserError, match="nothing was done"):
        drop([], prog_name="drop", standalone_mode=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("typed", "arguments"), [("y\n", []), ("", ["--yes"])])
def test_a_yes_is_typed_or_given(
    person: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    typed: str,
    arguments: list[str],
) -> None:
    person(typed)
    run(*arguments)
    assert capsys.readouterr().out == "dropped\n"


def test_a_program_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    run()
    assert capsys.readouterr().out == "dropped\n"
