"""A package of commands, made for a test; and the real ones on a broker in memory."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from ottla.testing import TemporaryBroker
from tests.support.command_line import CommandLine

Commands = Callable[[Mapping[str, str]], ModuleType]

_numbers = itertools.count(1)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Makes a package of these files and imports it; every package has a name of its own."""

    def make(files: Mapping[str, str]) -> ModuleType:
        name = f"commands_of_a_test_{next(_numbers)}"
        for path, content in {"__init__.py": '"""All of them."""', **files}.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        return importlib.import_module(name)

    return make


@pytest.fixture(scope="module")
def shared_line() -> Iterator[CommandLine]:
    """One broker for all tests of a file that give names of their own to what they make.

    Not one for all files: while it runs, what the broker's packages log is diverted to it.
    """
    with TemporaryBroker(form="memory") as broker:
        yield CommandLine(broker)


@pytest.fixture
def line() -> Iterator[CommandLine]:
    """A broker of its own, for tests that look at all there is."""
    with TemporaryBroker(form="memory") as broker:
        yield CommandLine(broker)
