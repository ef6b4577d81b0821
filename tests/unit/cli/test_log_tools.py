"""`ottla log` and `ottla migrate`: what they print, and the exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ottla.cli import commands
from ottla.cli.tree import PathGroup
from ottla.quorum import directory_lock
from tests.golden.dump import GOLDEN


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "data"))


def run(*arguments: str | Path, typed: str | None = None) -> Result:
    root = PathGroup(commands, "ottla")
    return CliRunner().invoke(root, [str(argument) for argument in arguments], input=typed)


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def tear(place: Path) -> Path:
    log = place / "rolled-0" / f"{120:020d}.log"
    log.write_bytes(log.read_bytes() + b"torn")
    return log


def test_a_whole_directory_is_whole(place: Path) -> None:
    result = run("log", "verify", place)
    assert (result.exit_code, result.stdout) == (0, "nothing is wrong\n")


def test_what_is_wrong_is_told_with_file_and_position(place: Path) -> None:
    log = tear(place)
    result = run("log", "verify", place, "--output", "json")
    assert result.exit_code == 3
    (finding,) = lines(result)
    assert finding["file"] == str(log)
    assert finding["position"] == log.stat().st_size - 4
    assert finding["problem"] == "torn-tail"


@pytest.mark.parametrize("part", ["rolled-0", f"rolled-0/{120:020d}.log"])
def test_a_folder_or_a_file_can_be_checked_alone(place: Path, part: str) -> None:
    assert run("log", "verify", place / part).exit_code == 0
    tear(place)
    assert run("log", "verify", place / part).exit_code == 3
    assert run("log", "verify", place / f"rolled-0/{80:020d}.log").exit_code == 0


def test_a_dry_run_changes_nothing_and_a_repair_mends(place: Path) -> None:
    log = tear(place)
    torn = log.read_bytes()
    dry = run("log", "repair", place, "--dry-run", "--output", "json")
    assert dry.exit_code == 3
    assert "cut" in {line["action"] for line in lines(dry)}
    assert log.read_bytes() == torn
    assert run("log", "repair", place, "--yes").exit_code == 0
    assert run("log", "verify", place).exit_code == 0
    (kept,) = log.parent.glob("*.log.*.damaged")
    assert kept.read_bytes() == b"torn"


def test_a_cut_is_asked_for_and_may_be_refused(place: Path) -> None:
    log = tear(place)
    torn = log.read_bytes()
    assert run("log", "repair", place / "rolled-0", typed="n\n").exit_code == 1
    assert log.read_bytes() == torn
    assert run("log", "repair", place / "rolled-0", typed="y\n").exit_code == 0
    assert log.read_bytes() == torn[:-4]


def test_a_directory_in_use_is_read_with_a_warning_and_not_repaired(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_lock, "is_in_use", lambda _: True)
    shown = run("log", "verify", place)
    assert shown.exit_code == 0
    assert "in use by a running broker" in shown.stderr
    refused = run("log", "repair", place, "--yes")
    assert "in use by a running broker" in str(refused.exception)
    assert run("migrate", "check", place).exit_code == 3


def test_a_dump_shows_records_for_people_and_for_programs(place: Path) -> None:
    path = place / "transactions-0"
    table = run("log", "dump", path, "--records")
    assert table.exit_code == 0
    assert "lastStableOffset" in table.stdout
    found = lines(
        run("log", "dump", path, "--records", "--from", "6", "--to", "6", "--output", "json")
    )
    (record,) = [line for line in found if line["kind"] == "record"]
    assert record["offset"] == 6


def test_a_dump_of_a_whole_directory_shows_every_file_that_it_knows(place: Path) -> None:
    found = lines(run("log", "dump", place, "--json"))
    files = {Path(str(line["file"])).name for line in found}
    assert {"meta.properties", "quorum-state", "bootstrap.checkpoint"} <= files
    assert {"recovery-point-offset-checkpoint", "leader-epoch-checkpoint"} <= files
    assert "damage" not in {line["kind"] for line in found}


def test_a_file_of_nobody_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    result = run("log", "dump", tmp_path / "notes.txt")
    assert "no file of a log" in str(result.exception)


def test_moving_in_is_checked(place: Path) -> None:
    result = run("migrate", "check", place)
    assert result.exit_code == 0
    assert "GoldenClusterIdAAAAAAAA" in result.stdout
    shutil.rmtree(place / "rolled-0")
    blocked = run("migrate", "check", place, "--output", "json")
    assert blocked.exit_code == 3
    assert "blocks" in {line["fate"] for line in lines(blocked)}
