"""ARCHITECTURE.md is held to the code: its map names every file, and no file that is gone."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "ottla"
MAP = re.compile(r"^\| `(?P<folder>[a-z]+)/` \| (?P<files>.*) \|$", re.MULTILINE)
LISTED_BY_FOLDER = {"apis", "messages", "payloads", "records", "commands"}
"""Folders whose listing is their own table of contents."""


def named_files() -> dict[str, set[str]]:
    """By folder, what stands between backquotes in its line of the map."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    found = {line["folder"]: line["files"] for line in MAP.finditer(text)}
    return {folder: set(re.findall(r"`([a-z_]+)`", files)) for folder, files in found.items()}


def test_the_map_names_every_file_of_every_folder() -> None:
    named = named_files()
    for folder in SOURCES.iterdir():
        if not (folder / "__init__.py").exists():
            continue
        files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        assert files <= named[folder.name], f"{folder.name}: {files - named[folder.name]}"


def test_the_map_names_no_file_that_is_gone() -> None:
    for folder, files in named_files().items():
        if not (SOURCES / folder).is_dir():
            continue
        present = {path.stem for path in (SOURCES / folder).iterdir()} | LISTED_BY_FOLDER
        assert files <= present, f"{folder}: {files - present}"
