"""What a program imports from `ottla.client.admin` is there, and typed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ottla.client import admin

SOURCE = Path(admin.__file__)


@pytest.mark.parametrize("name", admin.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(admin, name) is not None
    assert name in dir(admin)


def test_type_checkers_are_told_the_same_names() -> None:
    told = {
        alias.name
        for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ottla.")
        for alias in node.names
    }
    assert told == set(admin.__all__)


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Planets'"):
        getattr(admin, "Planets")  # noqa: B009 # a type checker would refuse the plain form
