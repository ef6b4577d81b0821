"""Compaction follows the broker's settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.log.compaction.plan import CompactionMemory, CompactionPlan
from ottla.log.compaction.result import CompactionResult
from ottla.node.cleaner import CleaningTerms, SetCleaning
from ottla.settings.broker import BrokerSettings
from tests.support.memory_broker import MemoryBroker


class IdleCleaner:
    """Never has anything to do."""

    def __init__(self, bytes_per_second: float) -> None:
        self.bytes_per_second = bytes_per_second
        self.is_closed = False

    async def compact(self, plan: CompactionPlan) -> CompactionResult:
        raise AssertionError("there is nothing to compact")

    def rest(self) -> None:
        """It always does."""

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[MemoryBroker]:
    broker = MemoryBroker(tmp_path).start()
    yield broker
    broker.close()


def test_a_broker_that_may_not_compact_has_no_cleaners() -> None:
    settings = BrokerSettings({"log.cleaner.enable": "false", "log.cleaner.threads": "4"})
    assert CleaningTerms.of(settings).cleaners == 0


def test_cleaners_share_what_the_settings_allow() -> None:
    settings = BrokerSettings(
        {"log.cleaner.threads": "4", "log.cleaner.io.max.bytes.per.second": "1000"}
    )
    terms = CleaningTerms.of(settings)
    assert (terms.cleaners, terms.bytes_per_second) == (4, 250)
    assert terms.memory == CompactionMemory(map_bytes=32 << 20, load_factor=0.9, io_bytes=1 << 17)


def test_cleaners_are_replaced_when_their_settings_change_and_not_before(
    broker: MemoryBroker,
) -> None:
    settings = BrokerSettings({})
    made: list[IdleCleaner] = []

    def cleaner(bytes_per_second: float) -> IdleCleaner:
        made.append(IdleCleaner(bytes_per_second))
        return made[-1]

    following = SetCleaning(settings, broker.broker.replicas, broker.clock, cleaner=cleaner)
    broker.in_loop(following.cleaning.start)
    settings.set_dynamic({}, {"log.retention.ms": "1"})
    broker.in_loop(following, settings)
    broker.loop.advance(20_000)
    assert [one.is_closed for one in made] == [False]
    settings.set_dynamic(
        {}, {"log.cleaner.threads": "2", "log.cleaner.io.max.bytes.per.second": "1000"}
    )
    broker.in_loop(following, settings)
    broker.loop.advance(20_000)
    assert [one.is_closed for one in made] == [True, False, False]
    assert made[-1].bytes_per_second == 500
    broker.loop.finish(following.cleaning.stop())
    assert all(one.is_closed for one in made)
