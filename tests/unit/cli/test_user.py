"""`ottla user`: who has a password."""

from __future__ import annotations

import warnings
from getpass import GetPassWarning

import pytest

from tests.support.command_line import CommandLine


def passwords(line: CommandLine, user: str) -> list[tuple[str, int]]:
    return [(row["mechanism"], row["iterations"]) for row in line.rows("user", "list", user)]


def test_a_user_is_made_changed_and_deleted(shared_line: CommandLine) -> None:
    run = shared_line.run
    assert run("user", "create", "alice", "--password", "x").stdout == "created alice\n"
    assert passwords(shared_line, "alice") == [("SCRAM-SHA-512", 4096)]
    run("user", "update", "alice", "--password-stdin", "--iterations", "5000", stdin="secret\n")
    assert passwords(shared_line, "alice") == [("SCRAM-SHA-512", 5000)]
    assert run("user", "delete", "alice").stdout == "deleted alice\n"
    assert "alice" in shared_line.refusal("user", "list", "alice")


def test_a_password_is_asked_for_twice_and_never_shown(shared_line: CommandLine) -> None:
    result = shared_line.run("user", "create", "carol", stdin="hidden\nhidden\n")
    assert result.stdout == "created carol\n"
    assert "hidden" not in result.output


def test_where_nobody_can_be_asked_the_password_has_to_be_given(
    shared_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ottla.cli.nouns.user.click.prompt", ask_without_terminal)
    told = shared_line.refusal("user", "create", "gus")
    assert "--password-stdin" in told


def ask_without_terminal(*_: object, **__: object) -> str:
    """As getpass does it, of which click makes its question."""
    warnings.warn("Can not control echo on the terminal.", GetPassWarning, stacklevel=2)
    return "seen by all"


def test_each_mechanism_has_its_password(shared_line: CommandLine) -> None:
    other = ("--mechanism", "scram-sha-256")
    shared_line.run("user", "create", "bob", "--password", "x")
    shared_line.run("user", "create", "bob", "--password", "x", *other)
    assert {name for name, _ in passwords(shared_line, "bob")} == {"SCRAM-SHA-256", "SCRAM-SHA-512"}
    shared_line.run("user", "delete", "bob", *other)
    assert passwords(shared_line, "bob") == [("SCRAM-SHA-512", 4096)]
    shared_line.run("user", "create", "bob", "--password", "x", *other)
    shared_line.run("user", "delete", "bob")
    assert "bob" in shared_line.refusal("user", "list", "bob")


def test_none_is_made_twice_or_changed_that_is_not_there(shared_line: CommandLine) -> None:
    assert "ottla user create" in shared_line.refusal("user", "update", "dora", "--password", "x")
    shared_line.run("user", "create", "dora", "--password", "x")
    assert "ottla user update" in shared_line.refusal("user", "create", "dora", "--password", "x")
    assert "nobody" in shared_line.refusal("user", "delete", "nobody")


def test_an_empty_password_is_refused(shared_line: CommandLine) -> None:
    result = shared_line.run("user", "create", "eve", "--password-stdin", stdin="\n", code=1)
    assert "not empty" in result.stderr


@pytest.mark.parametrize("iterations", ["4095", "16385", "many"])
def test_iterations_are_those_that_brokers_take(shared_line: CommandLine, iterations: str) -> None:
    arguments = ("user", "create", "fay", "--password", "x", "--iterations", iterations)
    assert "Error:" in shared_line.run(*arguments, code=2).stderr
