"""The text of all collectors together: valid, in pieces, and worth having where one fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from ottla.base.limits import METRICS_SAMPLES_PER_TURN
from ottla.broker.metrics import catalogue as metrics
from ottla.broker.metrics.families import Collector, Part, parts, single
from ottla.broker.metrics.scrape import Scrape, written
from tests.support.scraping import Scraped, scraped

MANY = 3 * METRICS_SAMPLES_PER_TURN


def many() -> Iterator[Part]:
    yield from parts(metrics.GROUP_MEMBERS, (((f"g{n}",), n) for n in range(MANY)))
    yield None
    yield single(metrics.TOPICS, 4)


def fails() -> Iterator[Part]:
    yield single(metrics.TOPICS, 4)
    raise ValueError("a mistake of ours")


def scrape_of(**collectors: Collector) -> Scrape:
    return Scrape(collectors, is_ready=lambda: True, left_out={"topics": 2})


def test_a_family_in_several_parts_is_one_family() -> None:
    pieces = list(written(many()))
    assert len(pieces) == 5
    found = Scraped(b"".join(pieces).decode())
    assert len(found.all("ottla_group_members")) == MANY
    assert found["ottla_group_members", {"group": "g250"}] == 250
    assert found["ottla_topics"] == 4


def test_names_that_need_it_are_escaped() -> None:
    name = 'a "quoted"\\ name\nof two lines, über'
    found = scraped(iter(parts(metrics.GROUP_MEMBERS, [((name,), 1)])))
    assert found["ottla_group_members", {"group": name}] == 1


def test_a_name_that_looks_like_a_heading_is_a_name_in_every_part() -> None:
    names = [f"g{n}\r# x" for n in range(MANY)]
    found = b"".join(written(parts(metrics.GROUP_MEMBERS, (((name,), 1) for name in names))))
    assert found.count(b"# x") == MANY


def test_requests_go_between_the_parts() -> None:
    turns = 0

    async def ask() -> None:
        nonlocal turns
        answer = asyncio.ensure_future(scrape_of(many=many).text())
        while not answer.done():
            turns += 1
            await asyncio.sleep(0)

    asyncio.run(ask())
    assert turns > MANY // METRICS_SAMPLES_PER_TURN


def test_two_who_ask_at_once_get_one_answer_and_the_next_gets_another() -> None:
    calls = 0

    def counted() -> Iterator[Part]:
        nonlocal calls
        calls += 1
        yield single(metrics.TOPICS, calls)

    async def ask() -> list[bytes]:
        scrape = scrape_of(counted=counted)
        both = await asyncio.gather(scrape.text(), scrape.text())
        return [*both, await scrape.text()]

    first, second, third = asyncio.run(ask())
    assert first is second
    assert calls == 2
    assert Scraped(third.decode())["ottla_topics"] == 2


def test_who_gives_up_takes_nothing_from_the_others() -> None:
    async def ask() -> bytes:
        scrape = scrape_of(many=many)
        impatient = asyncio.ensure_future(scrape.text())
        patient = asyncio.ensure_future(scrape.text())
        await asyncio.sleep(0)
        impatient.cancel()
        return await patient

    assert Scraped(asyncio.run(ask()).decode())["ottla_topics"] == 4


def test_a_part_that_fails_is_told_of_and_the_others_are_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def ask_twice() -> bytes:
        scrape = scrape_of(fails=fails, many=parts_of_members)
        await scrape.text()
        return await scrape.text()

    with caplog.at_level(logging.ERROR):
        found = Scraped(asyncio.run(ask_twice()).decode())
    assert found["ottla_scrape_errors_total", {"part": "fails"}] == 2
    assert found["ottla_scrape_errors_total", {"part": "many"}] == 0
    assert found["ottla_group_members", {"group": "g"}] == 1
    assert "a mistake of ours" in caplog.text
    caplog.clear()  # it was wanted


def parts_of_members() -> Iterator[Part]:
    yield from parts(metrics.GROUP_MEMBERS, [(("g",), 1)])


def test_a_stop_ends_an_answer_under_way() -> None:
    async def stop() -> None:
        scrape = scrape_of(many=many)
        answer = asyncio.ensure_future(scrape.text())
        await asyncio.sleep(0)
        await scrape.stop()
        with pytest.raises(asyncio.CancelledError):
            await answer
        await scrape.stop()  # nothing is left to do

    asyncio.run(stop())


def test_it_says_whether_the_node_is_ready_and_what_is_left_out() -> None:
    found = Scraped(asyncio.run(scrape_of().text()).decode())
    assert found["ottla_ready"] == 1
    assert found["ottla_series_left_out", {"what": "topics"}] == 2
