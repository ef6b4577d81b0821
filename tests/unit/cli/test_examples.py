"""Every command shows how it is used, what it shows can be typed, and a test uses it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ottla.cli import commands
from ottla.cli.tree import PathGroup

TESTS = Path(__file__).parents[2]
OTHER_COMMANDS = re.compile(r"\s(?:\||>|<|&&|#)(?:\s|$)")
"""From here on a line is the shell's, or another program's."""


def all_commands(group: PathGroup, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, PathGroup):
            yield from all_commands(command, *above, name)
        else:
            yield (*above, name), command


COMMANDS = dict(all_commands(PathGroup(commands, "ottla")))


def examples(path: tuple[str, ...], command: click.Command) -> list[str]:
    """The lines of a command's help that use it, joined where they go on in the next one."""
    text = re.sub(r"\\\n\s*", "", command.help or "")
    begin = " ".join(("ottla", *path))
    found = [line.strip() for line in text.splitlines()]
    return [line for line in found if re.search(rf"(^|\s){re.escape(begin)}(\s|$)", line)]


def words(example: str, path: tuple[str, ...]) -> list[str]:
    """What stands behind the command's name, as a shell passes it."""
    own = example.partition(" ".join(("ottla", *path)))[2]
    return shlex.split(OTHER_COMMANDS.split(own)[0])


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_has_examples_that_can_be_typed(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = COMMANDS[path]
    shown = examples(path, command)
    assert shown, "its help has no line that begins with it"
    # The files that examples name are not there.
    monkeypatch.setattr(click.Path, "convert", lambda _, value, *__: Path(value))
    monkeypatch.setattr(click.File, "convert", lambda _, value, *__: value)
    for example in shown:
        command.make_context(path[-1], words(example, path))


def test_an_example_that_cannot_be_typed_is_noticed() -> None:
    @click.command(help="\b\nottla topic shout --loud")
    def shout() -> None:
        """Nothing."""

    (example,) = examples(("topic", "shout"), shout)
    with pytest.raises(click.NoSuchOption):
        shout.make_context("shout", words(example, ("topic", "shout")))


@pytest.fixture(scope="module")
def texts_of_tests() -> str:
    """Of all tests, with nothing but words: both `"topic", "list"` and `topic_list` are two."""
    files = [path for path in TESTS.rglob("*.py") if path.name != Path(__file__).name]
    return _words_of("\n".join(path.read_text(encoding="utf-8") for path in files))


def _words_of(text: str) -> str:
    return f" {re.sub(r'[^A-Za-z0-9]+', ' ', text)} "


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_test_uses_the_command(path: tuple[str, ...], texts_of_tests: str) -> None:
    assert _words_of(" ".join(path)) in texts_of_tests, "no test names it"


def test_a_command_that_no_test_uses_is_noticed(texts_of_tests: str) -> None:
    assert _words_of("topic shout" + "ing") not in texts_of_tests
