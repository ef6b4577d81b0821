"""A package of commands, made for a test."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

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
