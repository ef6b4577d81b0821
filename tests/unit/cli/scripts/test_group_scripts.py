"""kafka-consumer-groups and kafka-groups; `tests/interop/java_tools` compares them with Kafka's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ottla.blocking import Consumer, Producer
from ottla.testing import TemporaryBroker
from tests.unit.cli.scripts.conftest import Ran, Script

PATIENCE_SECONDS = 20.0
TOOL = "kafka-consumer-groups"
NEW_OFFSETS = "GROUP           TOPIC           PARTITION  NEW-OFFSET"


@pytest.fixture(scope="module", autouse=True)
def five_records(broker: TemporaryBroker) -> None:
    """In partition 0 of `orders`, which has two."""
    broker.create_topic("orders", partitions=2)
    with Producer(broker.bootstrap) as producer:
        for number in range(5):
            producer.send("orders", b"%d" % number, partition=0)


def reset(script: Script, group: str, *words: object) -> Ran:
    return script(TOOL, "--reset-offsets", "--group", group, *words)


def test_a_reset_is_planned_and_carried_out(script: Script) -> None:
    planned = reset(script, "moved", "--topic", "orders", "--to-latest", "--dry-run")
    assert planned.lines[:2] == ["", NEW_OFFSETS]
    assert [line.split() for line in planned.lines[2:]] == [
        ["moved", "orders", "0", "5"],
        ["moved", "orders", "1", "0"],
    ]
    assert "moved" not in script(TOOL, "--list").lines
    assert reset(script, "moved", "--topic", "orders:0", "--to-offset", 3, "--execute").code == 0
    assert "moved" in script(TOOL, "--list").lines
    told = script(TOOL, "--describe", "--group", "moved")
    assert told.lines[2].split()[:6] == ["moved", "orders", "0", "3", "5", "2"]
    assert told.lines[2].split()[6:] == ["-", "-", "-"]
    assert "no active members" in told.err


@pytest.mark.parametrize(
    ("words", "offset"),
    [
        (("--to-earliest",), 0),
        (("--to-latest",), 5),
        (("--to-current",), 2),
        (("--to-offset", 1000), 5),
        (("--shift-by", -1), 1),
        (("--shift-by", -100), 0),
        (("--to-datetime", "2020-01-01T00:00:00.000"), 0),
        (("--to-datetime", "2190-01-01T00:00:00.000Z"), 5),
        (("--by-duration", "P1D"), 0),
    ],
)
def test_every_way_to_reset_leads_where_it_says(
    script: Script, words: tuple[object, ...], offset: int
) -> None:
    assert reset(script, "ways", "--topic", "orders:0", "--to-offset", 2, "--execute").code == 0
    exported = reset(script, "ways", "--topic", "orders:0", *words, "--export", "--dry-run")
    assert exported.lines == [f"orders,0,{offset}"]


def test_what_was_exported_is_read_again(script: Script, tmp_path: Path) -> None:
    plan = tmp_path / "plan.csv"
    plan.write_text('"orders",0,4\nother-group,orders,1,7\n')
    told = reset(script, "filed", "--from-file", plan, "--execute")
    assert told.lines[2].split() == ["filed", "orders", "0", "4"]


@pytest.mark.parametrize(
    "words",
    [
        ("--topic", "orders", "--to-datetime", "yesterday"),
        ("--topic", "orders", "--by-duration", "1h"),
        ("--topic", "orders:7", "--to-latest"),
        ("--topic", "orders:x", "--to-latest"),
        ("--topic", "nosuch", "--to-latest"),
    ],
)
def test_what_cannot_be_reset_is_told_and_no_failure_as_with_kafkas_tool(
    script: Script, words: tuple[object, ...]
) -> None:
    told = reset(script, "refused", *words, "--execute")
    assert told.code == 0
    assert told.out.startswith("\nError: ")
    assert "refused" not in script(TOOL, "--list").lines


def test_groups_are_listed_with_their_states_and_types(script: Script) -> None:
    reset(script, "listed", "--topic", "orders", "--to-latest", "--execute")
    by_state = script(TOOL, "--list", "--state").lines
    assert by_state[0].split() == ["GROUP", "STATE"]
    assert ["listed", "Empty"] in [line.split() for line in by_state]
    assert script(TOOL, "--list", "--state", "stable").lines == by_state[:1]
    both = [line.split() for line in script(TOOL, "--list", "--type", "--state").lines]
    assert both[0] == ["GROUP", "TYPE", "STATE"]
    assert ["listed", "Classic", "Empty"] in both
    for option in ("--state", "--type"):
        assert script(TOOL, "--list", option, "bogus").code == 1
    of_all = [line.split() for line in script("kafka-groups", "--list").lines]
    assert of_all[0] == ["GROUP", "TYPE", "PROTOCOL"]
    assert ["listed", "Classic"] in of_all
    assert script("kafka-groups", "--list", "--share").lines == [
        f"{'GROUP':<20} {'TYPE':<20} {'PROTOCOL':<20}"
    ]


def test_offsets_and_groups_are_deleted(script: Script) -> None:
    reset(script, "gone", "--topic", "orders", "--to-latest", "--execute")
    told = script(TOOL, "--delete-offsets", "--group", "gone", "--topic", "orders:1")
    assert told.lines[-1].split() == ["orders", "1", "Successful"]
    assert len(script(TOOL, "--describe", "--group", "gone").lines) == 3
    deleted = script(TOOL, "--delete", "--group", "gone")
    assert deleted.out == "Deletion of requested consumer groups ('gone') was successful.\n"
    again = script(TOOL, "--delete", "--group", "gone")
    assert again.code == 0
    assert "* Group 'gone' could not be deleted due to: GROUP_ID_NOT_FOUND" in again.out


def test_members_are_described_and_keep_their_group_from_being_reset(
    script: Script, broker: TemporaryBroker
) -> None:
    settings = {"group_id": "reading", "client_id": "reader", "auto_offset_reset": "earliest"}
    with Consumer(broker.bootstrap, **settings) as consumer:
        consumer.subscribe(["orders"])
        assert len(consumer.poll(timeout_s=PATIENCE_SECONDS)) == 5
        consumer.commit()
        offsets = script(TOOL, "--describe", "--group", "reading").lines
        assert offsets[2].split()[3:6] == ["5", "5", "0"]
        assert offsets[2].endswith("reader")
        told = script(TOOL, "--describe", "--group", "reading", "--members", "--verbose").lines
        assert told[2].split()[3:] == ["reader", "2", "-", "orders:0,1", "-", "-"]
        state = script(TOOL, "--describe", "--group", "reading", "--state").lines
        assert state[2].split()[4:] == ["Stable", "1"]
        refused = reset(script, "reading", "--topic", "orders", "--to-latest", "--execute")
        assert "can only be reset if the group 'reading' is inactive" in refused.out
        deleted = script(TOOL, "--delete-offsets", "--group", "reading", "--topic", "orders")
        assert "Error" in deleted.out


@pytest.mark.parametrize(
    "words",
    [
        ("--describe",),
        ("--delete",),
        ("--list", "--describe"),
        ("--describe", "--group", "g", "--members", "--state"),
        ("--describe", "--group", "g", "--state", "stable"),
        ("--describe", "--group", "g", "--all-groups"),
        ("--delete-offsets", "--group", "g"),
        ("--delete-offsets", "--topic", "t"),
        ("--reset-offsets", "--group", "g", "--topic", "t"),
        ("--reset-offsets", "--group", "g", "--to-latest"),
        ("--reset-offsets", "--group", "g", "--topic", "t", "--to-latest", "--to-earliest"),
        (
            "--reset-offsets",
            "--group",
            "g",
            "--topic",
            "t",
            "--to-latest",
            "--dry-run",
            "--execute",
        ),
        ("--list", "--members"),
        ("--list", "--to-latest"),
        ("--list", "--bogus"),
    ],
)
def test_command_lines_that_make_no_sense_fail(script: Script, words: tuple[str, ...]) -> None:
    told = script(TOOL, *words)
    assert told.code == 1
    assert (told.out, bool(told.err)) == ("", True)


def test_expressions_are_tried_without_a_cluster(script: Script) -> None:
    assert script(TOOL, "--validate-regex", "a.*", at="127.0.0.1:1").out.endswith("is valid.\n")
    assert "is invalid" in script(TOOL, "--validate-regex", "a.*(").out


def test_a_group_that_committed_nothing_has_nothing_to_reset(script: Script) -> None:
    told = script(
        TOOL, "--group", "unheard", "--reset-offsets", "--all-topics", "--to-latest", "--execute"
    )
    assert (told.code, told.err) == (0, "")
    assert [line.split() for line in told.lines if line] == [
        ["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"]
    ]
