"""What a program imports from `ottla` is there, typed, and costs nothing before it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ottla

SOURCE = Path(ottla.__file__)


@pytest.mark.parametrize("name", ottla.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(ottla, name).__name__ == name
    assert name in dir(ottla)


def test_type_checkers_are_told_the_same_names() -> None:
    told = {
        alias.name
        for node in ast.walk(ast.parse(SOURCE.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ottla.")
        for alias in node.names
    }
    assert told == set(ottla.__all__)
    assert SOURCE.with_name("py.typed").exists()


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Streams'"):
        getattr(ottla, "Streams")  # noqa: B009 # a type checker would refuse the plain form


def test_importing_ottla_loads_nothing_else() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); old = set(sys.modules)\n"
        "import ottla; print(*sorted(set(sys.modules) - old))"
    )
    told = subprocess.run(
        [sys.executable, "-S", "-c", program, str(SOURCE.parents[1])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["__future__", "ottla"]
