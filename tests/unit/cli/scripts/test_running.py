"""What all tools have in common: they are found by name, end with Kafka's codes, are installed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from ottla.cli.commands.scripts import install as install_command
from ottla.cli.commands.scripts import list as list_command
from ottla.cli.scripts.running import names, run


def test_a_name_that_no_tool_has_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kafka-toopics", []) == 1
    assert "there is no kafka-toopics; there are " in capsys.readouterr().err


def test_a_version_is_that_of_kafka_and_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kafka-topics", ["--version"]) == 0
    told = capsys.readouterr()
    assert told.out == "4.3.1\n"
    assert told.err.startswith("this is one of Ottla ")


def test_help_is_told_on_standard_error_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kafka-topics", ["--help"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "--bootstrap-server" in told.err


def test_ottla_scripts_list_names_every_tool() -> None:
    done = CliRunner().invoke(list_command.command, ["--json"])
    assert done.exit_code == 0
    assert all(f'"{name}"' in done.output for name in names())


def test_ottla_scripts_install_writes_programs_that_run(tmp_path: Path) -> None:
    folder = tmp_path / "a folder" / "bin"
    done = CliRunner().invoke(install_command.command, [str(folder)])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.sh" for name in names()]
    program = folder / "kafka-topics.sh"
    assert os.access(program, os.X_OK)
    ran = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout == "4.3.1\n"


def test_installed_again_ours_are_replaced_and_others_stay(tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(install_command.command, [str(tmp_path), "--bare"]).exit_code == 0
    assert runner.invoke(install_command.command, [str(tmp_path), "--bare"]).exit_code == 0
    theirs = tmp_path / "kafka-topics"
    theirs.write_text("#!/bin/sh\necho theirs\n")
    refused = runner.invoke(install_command.command, [str(tmp_path), "--bare"])
    assert "has its own kafka-topics" in str(refused.exception)
    assert "theirs" in theirs.read_text()
    assert refused.exit_code == 1
    assert (
        runner.invoke(install_command.command, [str(tmp_path), "--bare", "--force"]).exit_code == 0
    )
    assert "ottla.cli.scripts kafka-topics" in theirs.read_text()
