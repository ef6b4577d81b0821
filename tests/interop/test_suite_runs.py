"""What every test of a foreign suite counts on: its limit, its log, and nothing left behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.processes import is_running
from tests.support.suite_runs import SuiteRun, SuiteRuns
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop

LEAVES_A_CHILD = "sleep 60 & echo $! >child; echo said; "


def run_of(script: str, folder: Path, *, seconds_max: float = 20.0) -> SuiteRun:
    """A shell script as the only program of a suite."""
    return SuiteRun("it", ["sh", "-c", script], folder, folder / "log", seconds_max)


def child_of(folder: Path) -> int:
    """The id that the script has written of its child."""
    return int((folder / "child").read_text())


def has_a_child(folder: Path) -> bool:
    """Whether the script has written the whole of it."""
    file = folder / "child"
    return file.exists() and file.read_text().endswith("\n")


def test_program_that_hangs_is_killed_with_its_children_and_its_last_words_are_told(
    tmp_path: Path,
) -> None:
    with SuiteRuns([run_of(LEAVES_A_CHILD + "sleep 60", tmp_path, seconds_max=2.0)]) as runs:
        ended = runs.wait_for("it")
        assert ended.exit_code is None
        assert ended.seconds < 30
        assert ended.last_words().startswith("was killed at its limit")
        assert ended.last_words().endswith("said\n")
        wait_until(lambda: not is_running(child_of(tmp_path)), "its child ends")


def test_program_that_ends_takes_its_children_with_it(tmp_path: Path) -> None:
    with SuiteRuns([run_of(LEAVES_A_CHILD + "exit 3", tmp_path)]) as runs:
        ended = runs.wait_for("it")
        assert ended.exit_code == 3
        assert ended.last_words().startswith("exited 3 ")
        wait_until(lambda: not is_running(child_of(tmp_path)), "its child ends")


def test_leaving_early_ends_what_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    waiting = SuiteRun("next", ["touch", "begun"], tmp_path, tmp_path / "log2", 20.0)
    began = time.monotonic()
    with SuiteRuns([run_of(LEAVES_A_CHILD + "sleep 60", tmp_path), waiting], at_once=1):
        wait_until(lambda: has_a_child(tmp_path), "its child is started")
    assert time.monotonic() - began < 30
    wait_until(lambda: not is_running(child_of(tmp_path)), "its child ends")
    assert not (tmp_path / "begun").exists()
