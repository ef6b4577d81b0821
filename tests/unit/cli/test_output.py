"""What commands print: one set of rows for people and for programs."""

from __future__ import annotations

import json

import click
import pytest
import yaml
from click.testing import CliRunner

from ottla.base.errors import ErrorCode, UserError
from ottla.cli.output import Output, cell_text, output_option, refuse, size_text
from ottla.cli.table import table_lines
from ottla.client.errors import RefusedError

ROWS = [
    {"name": "orders", "size_bytes": 1536, "made_at_ms": 0, "tags": ["a", "b"], "hidden": 1},
    {"name": "日本", "size_bytes": 5, "made_at_ms": None, "tags": [], "hidden": None},
]
COLUMNS = {"name": "topic", "size_bytes": "size", "tags": "tags"}


@click.command()
@output_option
def show(output: Output) -> None:
    output.say("for people")
    output.show(ROWS, COLUMNS)


@pytest.mark.parametrize("arguments", [["--json"], ["-o", "json"]])
def test_json_holds_all_of_the_rows_and_nothing_else(arguments: list[str]) -> None:
    result = CliRunner().invoke(show, arguments)
    assert json.loads(result.stdout) == ROWS
    assert result.stderr == "for people\n"


def test_yaml_says_the_same() -> None:
    result = CliRunner().invoke(show, ["--output", "yaml"])
    assert yaml.safe_load(result.stdout) == ROWS
    assert "日本" in result.stdout


def test_a_table_shows_the_columns_in_a_persons_units() -> None:
    result = CliRunner().invoke(show, [])
    assert result.stdout.splitlines() == [
        "for people",
        "topic    size      tags",
        "orders   1.5 KiB   a,b",
        "日本     5 B       -",
    ]


def test_what_is_unknown_is_wrong_usage() -> None:
    assert CliRunner().invoke(show, ["-o", "xml"]).exit_code == 2


def test_no_rows_are_an_empty_list_and_a_table_of_headings() -> None:
    assert list(table_lines(["topic", "size"], [])) == ["topic   size"]


def test_numbers_stand_to_the_right_and_gaps_among_them_too() -> None:
    lines = list(table_lines(["n", "rack"], [["1", "-"], ["-", "-"], ["-20.5", "-"]]))
    assert lines == ["    n   rack", "    1   -", "    -   -", "-20.5   -"]


def test_headings_are_bold_where_a_person_reads() -> None:
    head, row = table_lines(["topic"], [["a"]], bold=True)
    assert head.startswith("\x1b[1m")
    assert row == "a"


def test_a_name_cannot_move_the_cursor_or_break_the_table() -> None:
    _, row = table_lines(["topic"], [["a\x1b[2J\nb"]])
    assert row == "a\\x1b[2J\\nb"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ((1, 2), "1,2"),
        ({"a": 1, "b": None}, "a=1 b=-"),
        ([], "-"),
    ],
)
def test_values_have_a_form_for_people(value: object, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 30, "5.0 GiB"),
        (3 << 50, "3072.0 TiB"),
    ],
)
def test_sizes_have_the_unit_that_fits(size: int, text: str) -> None:
    assert size_text(size) == text


def test_each_refusal_is_named_by_what_it_is_about() -> None:
    refuse({})
    with pytest.raises(UserError, match="a: too many; b: gone"):
        refuse({"a": UserError("too many"), "b": UserError("gone")})


def test_a_refusal_has_its_code_and_nothing_twice() -> None:
    code = ErrorCode.POLICY_VIOLATION
    with pytest.raises(UserError, match=r"^a-0: POLICY_VIOLATION; b: never \(POLICY_VIOLATION\)$"):
        refuse({"a-0": RefusedError(code, "a-0"), "b": RefusedError(code, "never")})
