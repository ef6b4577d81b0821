"""Writes docs/operating/cli.md: the help of every command, in one page to search and link to."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Final

import click

from ottla.cli.main import HELP, root
from ottla.cli.program import PROGRAM
from ottla.cli.tree import PathGroup

PAGE: Final = Path(__file__).parents[1] / "docs" / "operating" / "cli.md"
WIDTH: Final = 100
COMMON: Final = {"bootstrap", "command_config", "form", "as_json"}
"""Parameters of most commands."""

HEAD: Final = """\
# The command line

<!-- Written by `make cli-reference` from the commands' own help: do not edit. -->

{help}
What all commands that ask a cluster have in common, and what is not repeated below:

- `-b HOST:PORT` (`--bootstrap-server`) or the environment's `OTTLA_BOOTSTRAP_SERVER` say where the
  cluster is, and `--command-config FILE` reads the settings of a Kafka client's `.properties` file.
  Without any of them it is `localhost:9092`.
- `-o json` (short: `--json`) and `-o yaml` print everything that is known, for programs; a table
  shows the essentials. Refusals are a line on standard error, with one below it of what helps.
- Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 found what the command looks for,
  130 interrupted.
- `ottla completion bash|zsh|fish` lets the shell complete commands, topics, groups and settings.
- What deletes asks a person first; programs, and `--yes`, are not asked.

"""


def text() -> str:
    """The whole page."""
    parts = [HEAD.format(help=HELP)]
    parts += [
        f"- [`{' '.join(path)}`](#{'-'.join(path)}) {summary}\n" for path, summary in _nouns()
    ]
    parts += [_section(path, command) for path, command in _commands(root(), ())]
    return "".join(parts)


def _nouns() -> Iterator[tuple[tuple[str, ...], str]]:
    group = root()
    context = click.Context(group, info_name=PROGRAM)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (PROGRAM, name), command.get_short_help_str(limit=WIDTH)


def _commands(
    group: PathGroup, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*above, name), command
        if isinstance(command, PathGroup):
            yield from _commands(command, (*above, name))


def _section(path: tuple[str, ...], command: click.Command) -> str:
    title = " ".join((PROGRAM, *path))
    depth = "#" * (len(path) + 1)
    if isinstance(command, PathGroup):
        return f"\n{depth} {title}\n\n{command.help}\n"
    # `copy`: the options that all have in common stand at the head of the page, once.
    shown = copy(command)
    shown.params = [param for param in command.params if param.name not in COMMON]
    context = click.Context(shown, info_name=title, terminal_width=WIDTH, help_option_names=[])
    return f"\n{depth} {title}\n\n```\n{shown.get_help(context)}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
