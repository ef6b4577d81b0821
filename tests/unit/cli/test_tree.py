"""Commands by path: what is listed, what is imported, what is offered for a mistyped name."""

from __future__ import annotations

import sys
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from ottla import cli
from ottla.cli import commands as real_commands
from ottla.cli.tree import PathGroup
from tests.unit.cli.conftest import Commands

SAY = '''
"""Says something."""
import click

@click.command()
def command():
    """Say {word}."""
    click.echo("{word}")
'''
FILES = {
    "hello.py": SAY.format(word="hello"),
    "two_words.py": SAY.format(word="two words"),
    "broken.py": "raise RuntimeError('nobody may import this')",
    "topic/__init__.py": '"""Work with topics."""',
    "topic/create.py": SAY.format(word="created"),
}


@pytest.fixture
def package(commands: Commands) -> ModuleType:
    return commands(FILES)


def run(package: ModuleType, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(PathGroup(package, "test"), list(arguments))
    return result.exit_code, result.output


def test_a_module_is_a_verb_and_a_folder_a_noun(package: ModuleType) -> None:
    assert run(package, "hello") == (0, "hello\n")
    assert run(package, "topic", "create") == (0, "created\n")


def test_a_name_of_two_words_is_written_with_a_hyphen(package: ModuleType) -> None:
    assert run(package, "two-words") == (0, "two words\n")


def test_commands_are_listed_by_name(package: ModuleType) -> None:
    group = PathGroup(package, "test")
    listed = group.list_commands(click.Context(group))
    assert listed == ["broken", "hello", "topic", "two-words"]


def test_only_the_command_that_is_run_is_imported(package: ModuleType) -> None:
    run(package, "hello")
    imported = {name for name in sys.modules if name.startswith(f"{package.__name__}.")}
    assert imported == {f"{package.__name__}.hello"}


def test_a_noun_alone_lists_its_verbs_with_their_help(package: ModuleType) -> None:
    code, output = run(package, "topic", "--help")
    assert code == 0
    assert "Work with topics." in output
    assert "Say created." in output


@pytest.mark.parametrize(
    ("typed", "offered"), [("helo", "hello"), ("two-word", "two-words"), ("topics", "topic")]
)
def test_a_mistyped_command_is_answered_with_the_nearest(
    package: ModuleType, typed: str, offered: str
) -> None:
    code, output = run(package, typed)
    assert code == 2
    assert f"Did you mean {offered}?" in output


def test_a_command_that_is_near_to_nothing_is_refused_plainly(package: ModuleType) -> None:
    code, output = run(package, "zzzzzz")
    assert code == 2
    assert "Did you mean" not in output


def all_commands(group: PathGroup) -> list[tuple[str, click.Command]]:
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, PathGroup):
            found += [(f"{name} {inner}", leaf) for inner, leaf in all_commands(command)]
        else:
            found.append((name, command))
    return found


REAL = all_commands(PathGroup(real_commands, "ottla"))


def test_the_real_commands_are_found() -> None:
    assert {"broker", "serve", "topic create", "topic list"} <= {name for name, _ in REAL}
    assert cli.__doc__ is not None


@pytest.mark.parametrize(("name", "command"), REAL, ids=[name for name, _ in REAL])
def test_every_real_command_and_each_of_its_options_has_help(
    name: str, command: click.Command
) -> None:
    result = CliRunner().invoke(PathGroup(real_commands, "ottla"), [*name.split(), "--help"])
    assert result.exit_code == 0
    assert command.help
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert all(option.help for option in options)
