"""What stands written in C is compiled at installation, and again when it changes."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ottla"


def test_every_source_in_c_is_compiled_at_installation() -> None:
    hook = (ROOT / "hatch_build.py").read_text()
    listed = re.search(r"^SOURCES = \(([^)]*)\)$", hook, re.MULTILINE)
    assert listed
    found = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.c")}
    assert set(re.findall(r'"([\w/]+\.c)"', listed[1])) == found


def test_every_source_in_c_has_types_for_python() -> None:
    for path in PACKAGE.rglob("*.c"):
        assert path.with_suffix(".pyi").exists(), path.name


def test_the_environment_is_made_anew_when_a_source_in_c_changes() -> None:
    needed = re.search(r"^\$\(READY\): (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert needed
    assert "hatch_build.py" in needed[1].split()
    assert "$(shell find src -name '_*.[ch]')" in needed[1]
    assert {path.name[0] for path in PACKAGE.rglob("*.[ch]")} == {"_"}
