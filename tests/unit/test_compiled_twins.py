"""What stands written in C is compiled at installation, and again when it changes."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "ottla" / "wire" / "records"


def test_every_source_in_c_is_compiled_at_installation() -> None:
    listed = re.search(r"^SOURCES = \((.*)\)$", (ROOT / "hatch_build.py").read_text(), re.MULTILINE)
    assert listed
    assert set(re.findall(r'"(\w+\.c)"', listed[1])) == {path.name for path in SOURCES.glob("*.c")}


def test_every_source_in_c_has_types_for_python() -> None:
    for path in SOURCES.glob("*.c"):
        assert path.with_suffix(".pyi").exists(), path.name


def test_the_environment_is_made_anew_when_a_source_in_c_changes() -> None:
    needed = re.search(r"^\$\(READY\): (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert needed
    assert "hatch_build.py" in needed[1].split()
    assert "$(wildcard src/ottla/wire/records/_*.[ch])" in needed[1]
    assert {path.name[0] for path in SOURCES.glob("*.[ch]")} == {"_"}
