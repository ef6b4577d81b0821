"""The programs in the guide about testing run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.interop

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "testing.md"
PROGRAM = re.compile(r"```python\n# (?P<name>\w+\.py)\n(?P<text>.*?)```", re.DOTALL)
PROGRAMS = {found["name"]: found["text"] for found in PROGRAM.finditer(GUIDE.read_text())}


def run(folder: Path, *arguments: str) -> str:
    """What a program tells; it must end well."""
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tests_pass(tmp_path: Path) -> None:
    plugins = ["-p", "ottla.testing.pytest_plugin", "-p", "no:cacheprovider"]
    assert "4 passed" in run(
        tmp_path, "-m", "pytest", "--strict-markers", *plugins, "test_orders.py"
    )
    assert not list(tmp_path.glob("ottla-*"))


def test_the_tests_without_sockets_pass(tmp_path: Path) -> None:
    plugins = ["-p", "ottla.testing.pytest_plugin", "-p", "no:cacheprovider"]
    assert "1 passed" in run(tmp_path, "-m", "pytest", *plugins, "test_memory.py")


def test_the_program_without_sockets_runs(tmp_path: Path) -> None:
    assert run(tmp_path, "memory.py") == "b'an order' with 1 lost answer\n"
    assert not list(tmp_path.glob("ottla-*"))


def test_the_program_runs(tmp_path: Path) -> None:
    assert "stopped cleanly" in run(tmp_path, "orders.py")
    assert not list(tmp_path.glob("ottla-*"))
