"""What helps is told below a refusal, once."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.cli.hints import hint_for
from ottla.cli.output import refuse
from ottla.client.errors import NodeUnreachableError, RefusedError
from tests.support.command_line import CommandLine


def test_who_reaches_no_broker_is_told_how_to_start_or_name_one() -> None:
    hint = hint_for(NodeUnreachableError("cannot connect to localhost:9092: refused"))
    assert "ottla serve" in hint
    assert "--bootstrap-server" in hint


def test_several_refusals_have_the_hint_of_each_code_once() -> None:
    no_topic = RefusedError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "a")
    no_offset = RefusedError(ErrorCode.OFFSET_OUT_OF_RANGE, "b")
    with pytest.raises(UserError) as refused:
        refuse({"a": no_topic, "b": no_offset, "c": no_topic})
    assert hint_for(refused.value) == hint_for(no_topic) + hint_for(no_offset)


def test_what_says_all_by_itself_has_no_hint() -> None:
    assert hint_for(UserError("the port is taken: choose another")) == ""


@pytest.mark.parametrize(
    ("arguments", "verb"),
    [
        (["topic", "describe", "missing"], "ottla topic list"),
        (["topic", "empty", "missing"], "ottla topic list"),
        (["topic", "delete-records", "{topic}:0", "--before-offset", "99"], "ottla topic offsets"),
        (["config", "describe", "broker", "77"], "ottla cluster brokers"),
        (["disk", "move", "{topic}", "--to", "elsewhere"], "ottla disk describe"),
        (["txn", "describe", "missing"], "ottla txn list"),
    ],
)
def test_a_refusal_names_the_verb_that_shows_what_is_there(
    shared_line: CommandLine, arguments: list[str], verb: str
) -> None:
    topic = shared_line.broker.create_topic(partitions=1)
    told = shared_line.refusal(*(each.replace("{topic}", topic) for each in arguments))
    assert f"`{verb}`" in told.splitlines()[-1]
