"""docs/operating/administration.md: what it shows is run, in its order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.testing import TemporaryBroker
from tests.support.command_line import CommandLine
from tests.unit.cli.test_acl import WITH_AUTHORIZER

GUIDE = Path(__file__).parents[3] / "docs" / "operating" / "administration.md"
RUN = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def controlled() -> Iterator[CommandLine]:
    with TemporaryBroker(WITH_AUTHORIZER, form="memory") as broker:
        yield CommandLine(broker)


def test_every_command_of_the_guide_does_what_it_says(controlled: CommandLine) -> None:
    commands = [
        line for block in RUN.findall(GUIDE.read_text("utf-8")) for line in block.split("\n")
    ]
    assert len(commands) > 30
    for command in filter(None, commands):
        program, *arguments = shlex.split(command.partition("<")[0])
        assert program == "ottla"
        controlled.run(*arguments, stdin="secret\n")
