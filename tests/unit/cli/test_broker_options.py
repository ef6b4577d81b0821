"""What starts a broker, from the words on the command line."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ottla.cli.options import BrokerOptions, broker_options


@pytest.fixture
def typed() -> list[BrokerOptions]:
    return []


@pytest.fixture
def command(typed: list[BrokerOptions]) -> click.Command:
    """A command that only notes what it was given."""

    @click.command()
    @broker_options
    def note(options: BrokerOptions) -> None:
        """Note it."""
        typed.append(options)

    return note


def test_nothing_is_needed(command: click.Command, typed: list[BrokerOptions]) -> None:
    assert CliRunner().invoke(command, []).exit_code == 0
    assert typed == [BrokerOptions(None, (), (), (), (), None, "info", "text")]


def test_addresses_and_settings_may_be_given_more_than_once(
    command: click.Command, typed: list[BrokerOptions], tmp_path: Path
) -> None:
    file = tmp_path / "broker.properties"
    file.write_text("num.partitions=2\\n")
    arguments = ["--listen", "IN://:1", "--listen", ":2", "--advertise", "IN://a:1"]
    arguments += ["--set", "a=1", "--set", "b=2", "--data-dir", "d", "--config", str(file)]
    arguments += ["--http", ":8", "--http", "b:9", "--log-level", "debug", "--log-format", "json"]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    (options,) = typed
    assert options == BrokerOptions(
        Path("d"),
        ("IN://:1", ":2"),
        ("IN://a:1",),
        (":8", "b:9"),
        ("a=1", "b=2"),
        file,
        "debug",
        "json",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "nosuch.properties"],
        ["--log-level", "loud"],
        ["--log-format", "xml"],
        ["--listen"],
        ["extra"],
    ],
)
def test_what_cannot_be_is_wrong_usage(
    command: click.Command, typed: list[BrokerOptions], arguments: list[str]
) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2
    assert typed == []
