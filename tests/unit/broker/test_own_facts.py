"""What only Ottla tells: to who names it, in no list, and never too long for an old text."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from ottla.base.limits import (
    REBALANCE_CAUSES_KEPT,
    REBALANCES_KEPT_PER_GROUP,
    REBALANCES_TOLD_CHARACTERS_MAX,
)
from ottla.blocking import Admin, Consumer
from ottla.broker.own_facts import CLOCK, REBALANCES, rebalances_text
from ottla.client.admin import ConfigResource
from ottla.groups.journal import Cause, Journal, Trigger
from ottla.testing import TemporaryBroker


@pytest.fixture
def own_broker() -> Iterator[TemporaryBroker]:
    """Gone with the test: as long as it lives, it keeps the log lines of the whole process."""
    with TemporaryBroker(form="memory") as broker:
        yield broker


def test_no_list_of_settings_has_them_and_each_is_told_by_its_name(
    own_broker: TemporaryBroker,
) -> None:
    topic = own_broker.create_topic()
    where = {"connector": own_broker.connector}
    with Consumer(own_broker.bootstrap, group_id="g-own", client_id="c", **where) as consumer:
        consumer.subscribe([topic])
        while not consumer.assignment:
            consumer.poll_batch(0.05)
    group, broker = ConfigResource.group("g-own"), ConfigResource.broker(1)
    with Admin(own_broker.bootstrap, **where) as admin:
        for settings in admin.configs.describe(group, broker).all().values():
            assert not [name for name in settings if name in (REBALANCES, CLOCK)]
        told = admin.configs.describe(group, names=[REBALANCES]).all()[group]
        rebalances = json.loads(told[REBALANCES].value or "")
        assert [cause["trigger"] for each in rebalances for cause in each["causes"]] == [
            "joined",
            "left",
        ]
        clock = admin.configs.describe(broker, names=[CLOCK, "node.id"]).all()[broker]
        assert clock["node.id"].value == "1"
        assert abs(int(clock[CLOCK].value or "") - time.time() * 1000) < 60_000
        assert clock[CLOCK].is_read_only
        assert not admin.configs.describe(group, names=[CLOCK]).all()[group]


def journal_of(count: int, *, detail: str) -> Journal:
    journal = Journal()
    for generation in range(count):
        for _ in range(REBALANCE_CAUSES_KEPT):
            cause = Cause(trigger=Trigger.JOINED, member_id="m", detail=detail)
            journal.note(cause, generation=generation, now_ms=generation)
        journal.ended(generation=generation + 1, members=1, now_ms=generation)
    return journal


def test_a_journal_that_is_too_long_loses_its_oldest_entries() -> None:
    text = rebalances_text(journal_of(REBALANCES_KEPT_PER_GROUP, detail="é" * 255))
    assert len(text.encode()) <= REBALANCES_TOLD_CHARACTERS_MAX
    told = json.loads(text)
    assert 0 < len(told) < REBALANCES_KEPT_PER_GROUP
    assert told[-1]["to_generation"] == REBALANCES_KEPT_PER_GROUP
    assert len(json.loads(rebalances_text(journal_of(3, detail="")))) == 3


def test_a_single_entry_always_fits() -> None:
    text = rebalances_text(journal_of(1, detail="\u0000" * 255))
    assert len(json.loads(text)) == 1
