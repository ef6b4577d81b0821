"""What two looks at a cluster tell, and what of it fits on a screen."""

from __future__ import annotations

import asyncio
from io import StringIO

import pytest
from rich.console import Console

from ottla.base.errors import UserError
from ottla.cli.top import watching
from ottla.cli.top.looks import GroupLook, Look, TopicLook, group_rates, topic_rates
from ottla.cli.top.screen import Page, rendered
from ottla.cli.top.watching import Watch, watch
from ottla.client.admin import Admin


def topic(ends: int, *, size: int | None = 100, offline: int = 0) -> TopicLook:
    return TopicLook(
        partitions=3,
        firsts=10,
        ends=ends,
        under_replicated=0,
        offline=offline,
        size_bytes=size,
    )


def group(committed: int, lag: int) -> GroupLook:
    return GroupLook(state="Stable", committed=committed, lag=lag)


def at(at_s: float, topics: dict[str, TopicLook], groups: dict[str, GroupLook]) -> Look:
    return Look(at_s=at_s, brokers=2, topics=topics, groups=groups)


def test_rates_are_what_came_by_the_time_between() -> None:
    before = at(0, {"a": topic(100), "b": topic(100)}, {})
    after = at(2, {"a": topic(120, size=300), "b": topic(500), "new": topic(1000)}, {})
    rates = topic_rates(before, after)
    assert [(rate.topic, rate.records_per_s) for rate in rates] == [
        ("b", 200.0),
        ("a", 10.0),
        ("new", 0.0),
    ]
    assert (rates[1].records, rates[1].bytes_per_s) == (110, 100.0)


def test_a_topic_that_was_made_anew_has_no_negative_rate() -> None:
    before, after = at(0, {"a": topic(100)}, {}), at(1, {"a": topic(5, size=1)}, {})
    (rate,) = topic_rates(before, after)
    assert (rate.records_per_s, rate.bytes_per_s) == (0, 0)


def test_sizes_that_are_not_told_stay_unknown() -> None:
    before, after = at(0, {"a": topic(1, size=None)}, {}), at(1, {"a": topic(2, size=None)}, {})
    assert topic_rates(before, after)[0].bytes_per_s is None


@pytest.mark.parametrize(
    ("then", "now", "catches_up_s"),
    [
        (group(0, 100), group(60, 50), 2.0),
        (group(0, 100), group(50, 100), None),
        (group(0, 100), group(0, 150), None),
        (group(0, 100), group(100, 0), None),
    ],
)
def test_a_group_catches_up_at_the_rate_at_which_its_lag_shrinks(
    then: GroupLook, now: GroupLook, catches_up_s: float | None
) -> None:
    (rate,) = group_rates(at(0, {}, {"g": then}), at(2, {}, {"g": now}))
    assert rate.catches_up_s == catches_up_s
    assert rate.records_per_s == now.committed / 2


def test_groups_that_are_behind_most_come_first() -> None:
    look = at(0, {}, {"a": group(0, 1), "b": group(0, 9), "c": group(0, 1)})
    assert [rate.group for rate in group_rates(look, look)] == ["b", "a", "c"]


def page_of(topics: int, groups: int, *, note: str = "", offline: int = 0) -> Page:
    look = at(
        0,
        {f"topic-{n:03}": topic(10, offline=offline) for n in range(topics)},
        {f"group-{n:03}": group(0, 1000) for n in range(groups)},
    )
    return Page(
        bootstrap="here:9092",
        brokers=2,
        topics=topic_rates(look, look),
        groups=group_rates(look, look),
        note=note,
    )


def text_of(page: Page, height: int) -> str:
    console = Console(file=StringIO(), width=100, height=height)
    console.print(rendered(page, height=height))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("height", [12, 24, 60])
@pytest.mark.parametrize(("topics", "groups"), [(100, 100), (1, 100), (100, 1), (0, 0), (3, 3)])
def test_a_page_fits_on_its_screen(topics: int, groups: int, height: int) -> None:
    told = text_of(page_of(topics, groups, note="no answer"), height)
    assert len(told.splitlines()) <= height
    assert ("topic-000" in told, "group-000" in told) == (topics > 0, groups > 0)


def test_trouble_is_on_the_page() -> None:
    told = text_of(page_of(1, 0, offline=1), 24)
    assert "here:9092  2 brokers  1 topic  0 records/s  lag 0  1 offline" in told
    assert told.count("1 offline") == 2


def test_looking_goes_on_where_an_answer_fails_and_ends_on_demand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Look | UserError] = [at(0, {}, {}), UserError("no answer"), at(1, {}, {})]
    pages: list[Page] = []

    async def look(*_: object, **__: object) -> Look:
        answer = answers.pop(0)
        if isinstance(answer, UserError):
            raise answer
        return answer

    async def main() -> None:
        quits = asyncio.Event()

        def show(page: Page) -> None:
            pages.append(page)
            if not answers:
                quits.set()

        seen = Watch(Admin("nowhere:1"), "nowhere:1", internal=False)
        await watch(seen, interval_s=0, show=show, quits=quits)

    monkeypatch.setattr(watching, "look", look)
    asyncio.run(main())
    assert [page.note for page in pages] == ["", "no answer", ""]
