"""What a person sees of an error: one line, and an exit code that means something."""

from __future__ import annotations

import io
import re
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
    "interrupted.py": HEAD + "raise KeyboardInterrupt",
    "asks.py": HEAD + "click.confirm('Really?')",
    "unread.py": HEAD + "raise BrokenPipeError",
    "full.py": HEAD + "raise OSError(28, 'No space left on device')",
    "found.py": HEAD + "raise SystemExit(3)",
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


def test_an_interrupt_is_130_without_a_word(run: Run) -> None:
    assert run("interrupted") == (130, "", "\n")


def test_a_question_that_is_interrupted_is_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    code, _, errors = run("asks")
    assert (code, errors) == (130, "\n")


def test_letters_that_the_output_does_not_have_are_escaped(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "commands", commands({"name.py": HEAD + "print('jörg')"}))
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "argv", ["ottla", "name"])
    with pytest.raises(SystemExit):
        door.main()
    assert output.detach().getvalue() == b"j\\xf6rg\n"


def test_a_reader_that_goes_away_is_quiet(run: Run) -> None:
    assert run("unread") == (141, "", "")


def test_an_output_that_takes_no_more_is_a_refusal(run: Run) -> None:
    assert run("full") == (1, "", "ottla: cannot write: No space left on device\n")


def test_a_command_says_by_its_code_what_it_found(run: Run) -> None:
    assert run("found") == (3, "", "")


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


def test_the_short_form_of_help_is_everywhere(run: Run) -> None:
    for arguments in (["-h"], ["fine", "-h"]):
        code, output, _ = run(*arguments)
        assert code == 0
        assert "Usage: " in output


def test_commands_are_listed_by_what_they_are_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ottla", "--help"])
    with pytest.raises(SystemExit):
        door.main()
    told = capsys.readouterr().out
    titles = [line for line in told.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles[1:] == [f"{title}:" for title in (*door.SECTIONS, door.ELSE)]
    listed = re.findall(r"^  ([a-z-]+)  ", told, re.MULTILINE)
    assert sorted(listed) == sorted({*listed})
    assert {"serve", "topic", "acl", "completion", "log"} <= {*listed}
