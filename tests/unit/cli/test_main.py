"""What a person sees of an error: one line, and an exit code that means something."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from ottla import __version__
from ottla.cli import main as door
from tests.unit.cli.conftest import Commands

HEAD = """
import click
from ottla.base.errors import ErrorCode, ProtocolError, UserError

@click.command()
def command():
    """
FILES = {
    "fine.py": HEAD + "click.echo('done')",
    "refused.py": HEAD + "raise UserError('the port is taken: choose another')",
    "protocol.py": HEAD + "raise ProtocolError(ErrorCode.INVALID_REQUEST, 'it was odd')",
    "bug.py": HEAD + "raise RuntimeError('a mistake of ours')",
}


Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def run(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `ottla` with these arguments; exit code, standard output and standard error."""
    monkeypatch.setattr(door, "commands", commands(FILES))

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["ottla", *arguments])
        with pytest.raises(SystemExit) as ended:
            door.main()
        return ended.value.code, *capsys.readouterr()

    return run


def test_a_command_that_works_ends_with_0(run: Run) -> None:
    assert run("fine") == (0, "done\n", "")


def test_a_refusal_is_one_line_and_1(run: Run) -> None:
    assert run("refused") == (1, "", "ottla: the port is taken: choose another\n")


def test_an_error_of_the_protocol_is_one_line_and_1_too(run: Run) -> None:
    assert run("protocol") == (1, "", "ottla: INVALID_REQUEST: it was odd\n")


def test_a_bug_keeps_its_traceback(run: Run) -> None:
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        run("bug")


@pytest.mark.parametrize("arguments", [["nosuch"], ["fine", "--nosuch"], ["fine", "extra"]])
def test_wrong_usage_is_2_with_a_way_to_help(run: Run, arguments: list[str]) -> None:
    code, output, errors = run(*arguments)
    assert (code, output) == (2, "")
    assert "--help" in errors


def test_the_version_is_told(run: Run) -> None:
    code, output, _ = run("--version")
    assert code == 0
    assert __version__ in output


def test_help_says_how_to_begin(run: Run) -> None:
    code, output, _ = run("--help")
    assert code == 0
    assert "ottla serve" in output
