"""What commands print: tables for people, JSON or YAML for programs, refusals as one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from ottla.base.errors import UserError
from ottla.cli.table import table_lines

if TYPE_CHECKING:
    from ottla.client.admin.outcomes import Outcomes

Item = TypeVar("Item")
Result = TypeVar("Result")

TABLE: Final = "table"
JSON: Final = "json"
YAML: Final = "yaml"

NOTHING: Final = "-"
"""What a table shows for a value that is not there."""


class RefusedItemsError(UserError):
    """Of several things, some were refused; `errors` says why."""

    def __init__(self, message: str, errors: Sequence[UserError]) -> None:
        super().__init__(message)
        self.errors = errors


class Output(NamedTuple):
    """In which form a command prints."""

    form: str = TABLE

    @property
    def is_for_people(self) -> bool:
        """Whether it is a table; else a program reads standard output."""
        return self.form == TABLE

    def show(self, rows: Iterable[Mapping[str, object]], columns: Mapping[str, str]) -> None:
        """Print rows of plain values: all of them for programs, `columns` of them for people.

        `columns` are headings by key, in order. Prints one JSON or YAML list: call it once. In a
        table what ends in `_at_ms` is shown as a time, in `lag_ms` or `took_ms` as a duration, in
        `_bytes` as a size.
        """
        if self.form == JSON:
            print_json(rows)
        elif self.form == YAML:
            print_yaml(rows)
        else:
            print_table(
                list(columns.values()),
                ([cell_of(key, row.get(key)) for key in columns] for row in rows),
            )

    def report(
        self,
        outcomes: Outcomes[Item, Result],
        done: str,
        *,
        item: Callable[[Item], Mapping[str, object]],
        result: Callable[[Result], Mapping[str, object]] = lambda _: {},
        text: Callable[[Item], str] = str,
    ) -> None:
        """Tell what became of each item, then refuse where any was refused.

        People read `done` and the item's text; programs read rows of the item, its result, `error`
        (a code's name, NONE for none) and `message`. Raises UserError.
        """
        if self.is_for_people:
            for each in outcomes.done:
                self.say(f"{done} {text(each)}")
        else:
            rows = [{**item(each), **result(value)} for each, value in outcomes.done.items()]
            self.show([*map(_done, rows), *_refused(outcomes.errors, item)], {})
        refuse({text(each): error for each, error in outcomes.errors.items()})

    def say(self, text: str) -> None:
        """Tell people something: beside the table, or on standard error where there is none."""
        print(text, file=sys.stdout if self.is_for_people else sys.stderr)


def _done(row: Mapping[str, object]) -> dict[str, object]:
    return {**row, "error": error_name(None), "message": None}


def _refused(
    errors: Mapping[Item, UserError], item: Callable[[Item], Mapping[str, object]]
) -> Iterable[dict[str, object]]:
    for each, error in errors.items():
        yield {**item(each), "error": error_name(error), "message": reason(error)}


_OUTPUT_OPTIONS = (
    click.option(
        "--output",
        "-o",
        "form",
        type=click.Choice([TABLE, JSON, YAML]),
        default=TABLE,
        show_default=True,
        help="A table for people, JSON or YAML for programs.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Short for --output json."),
)


def output_option(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take in which form it prints, as `output: Output`."""

    @wraps(function)
    def command(*, form: str, as_json: bool, **rest: Any) -> None:
        function(output=Output(JSON if as_json else form), **rest)

    for option in reversed(_OUTPUT_OPTIONS):
        command = option(command)
    return command


def cell_of(key: str, value: object) -> str:
    """A value as a table shows it, in a person's units."""
    if not isinstance(value, int):
        return cell_text(value)
    if key.endswith("_at_ms"):
        from ottla.cli.moments import format_time

        return format_time(value)
    if key.endswith(("lag_ms", "took_ms")):
        from ottla.cli.moments import format_duration

        return format_duration(value)
    return size_text(value) if key.endswith("_bytes") else cell_text(value)


def size_text(size_bytes: int) -> str:
    """A size by its largest unit, as `1.5 GiB`."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def cell_text(value: object) -> str:
    """A plain value as a table shows it."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Mapping):
        return " ".join(f"{key}={cell_text(item)}" for key, item in value.items()) or NOTHING
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(cell_text, value)) or NOTHING
    return str(value)


def print_json(rows: Iterable[Mapping[str, object]]) -> None:
    """One JSON array."""
    import json

    print(json.dumps([dict(row) for row in rows], indent=2))


def print_yaml(rows: Iterable[Mapping[str, object]]) -> None:
    """One YAML list."""
    import json

    import yaml

    # Through JSON: what is no plain value is refused by both forms alike, and tuples are lists.
    plain = json.loads(json.dumps([dict(row) for row in rows]))
    print(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), end="")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns; plain text where the output is not a terminal."""
    for line in table_lines(columns, rows, bold=sys.stdout.isatty()):
        print(line)


def refuse(errors: Mapping[Any, UserError]) -> None:
    """Raise RefusedItemsError where there is any, naming each by what it is about."""
    if errors:
        raise RefusedItemsError(
            "; ".join(
                f"{str(item) or repr('')}: {_in_full(error, str(item))}"
                for item, error in errors.items()
            ),
            tuple(errors.values()),
        )


def _in_full(error: UserError, item: str) -> str:
    """With the code behind it, which people look up; a broker may have no words but the item's."""
    code = getattr(error, "code", None)
    if code is None:
        return reason(error)
    return str(code.name) if reason(error) == item else f"{reason(error)} ({code.name})"


def reason(error: UserError) -> str:
    """A broker's own words, where it has any."""
    return str(getattr(error, "message", None) or error)


def error_name(error: UserError | None) -> str:
    """The code of what a broker answered, as NONE; else what kind of error it is."""
    if error is None:
        return "NONE"
    code = getattr(error, "code", None)
    return type(error).__name__ if code is None else str(code.name)
