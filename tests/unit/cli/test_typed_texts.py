"""What people write as arguments."""

from __future__ import annotations

import click
import pytest

from ottla.base.limits import PARTITIONS_NAMED_PER_REQUEST_MAX
from ottla.cli.typed_texts import (
    INT16,
    INT64,
    OFFSET,
    WireInteger,
    key_values,
    number_list,
    typed_partitions,
)
from tests.support.command_line import CommandLine


def test_a_value_may_hold_what_parts_it_from_its_key() -> None:
    assert key_values(["a=b=c", " k = 'v\"ü' "], "-c") == {"a": "b=c", "k": "'v\"ü'"}


def test_partitions_are_listed_by_number_and_range() -> None:
    assert number_list("0, 4-6", "-p") == (0, 4, 5, 6)
    assert typed_partitions("orders:0,2-3", "TOPIC") == ("orders", (0, 2, 3))
    assert typed_partitions("orders", "TOPIC") == ("orders", None)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "1,", "-1", "1-", "3-1", "2147483648"),
        f"1,0-{PARTITIONS_NAMED_PER_REQUEST_MAX - 1}",
        "0-99999999999999",
    ],
)
def test_what_is_no_list_of_partitions_is_refused_before_it_takes_memory(text: str) -> None:
    with pytest.raises(click.BadParameter):
        number_list(text, "-p")


@pytest.mark.parametrize(
    ("kind", "number", "fits"),
    [
        (INT16, 2**15 - 1, True),
        (INT16, 2**15, False),
        (INT16, -(2**15), True),
        (INT64, 2**63 - 1, True),
        (INT64, 2**63, False),
        (OFFSET, 0, True),
        (OFFSET, -1, False),
    ],
)
def test_a_number_fits_into_its_field(kind: WireInteger, number: int, fits: bool) -> None:
    if fits:
        assert kind.convert(str(number), None, None) == number
    else:
        with pytest.raises(click.BadParameter, match="is not from"):
            kind.convert(str(number), None, None)


BEYOND_32 = str(2**31)
BEYOND_64 = str(2**63)


@pytest.mark.parametrize(
    "arguments",
    [
        ["topic", "create", "t", "-p", BEYOND_32],
        ["topic", "create", "t", "-r", BEYOND_32],
        ["topic", "create", "t", "--replicas", BEYOND_32],
        ["topic", "alter", "t", "-p", BEYOND_32],
        ["topic", "delete-records", "t", "--before-offset", BEYOND_64],
        ["topic", "delete-records", "t", "--before-time", f"@{BEYOND_64}"],
        ["topic", "offsets", "t", "--at", f"@{BEYOND_64}"],
        ["partition", "reassign", "t", "--replicas", BEYOND_32],
        ["disk", "describe", "--broker", BEYOND_32],
        ["disk", "move", "t", "--to", "/d", "--broker", BEYOND_32],
        ["cluster", "api-versions", "--broker", BEYOND_32],
        ["cluster", "unregister", BEYOND_32],
        ["cluster", "set-feature", "group.version=32768"],
        ["txn", "abort", "t:0", "--start-offset", BEYOND_64],
        ["txn", "abort", "t:0", "--producer-id", "1", "--producer-epoch", "32768"],
        ["txn", "list", "--producer-id", BEYOND_64],
        ["txn", "list", "--open-longer-than", "999999999999w"],
        ["txn", "producers", "t", "--broker", BEYOND_32],
        ["txn", "find-hanging", "--broker", BEYOND_32],
        ["token", "create", "--max-lifetime", "999999999999w"],
    ],
)
def test_a_number_that_no_message_could_carry_is_wrong_usage(
    shared_line: CommandLine, arguments: list[str]
) -> None:
    assert "Error:" in shared_line.run(*arguments, code=2).stderr
