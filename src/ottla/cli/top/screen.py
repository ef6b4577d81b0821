"""The screen: a head, topics by rate, groups by lag, as many of each as fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ottla.cli.moments import format_duration
from ottla.cli.output import size_text
from ottla.cli.rate import count_text, counted

if TYPE_CHECKING:
    from ottla.cli.top.looks import GroupRate, TopicRate

_FRAME_LINES: Final = 8
"""Of a screen, for the head and the headings."""


class Page(Struct, frozen=True, kw_only=True):
    """What is shown."""

    bootstrap: str
    brokers: int
    topics: Sequence[TopicRate]
    groups: Sequence[GroupRate]
    note: str = ""
    """Why it is not fresh; empty where it is."""


def rendered(page: Page, *, height: int) -> Group:
    """For rich. Topics get what groups leave, and the other way round."""
    room = max(2, height - _FRAME_LINES)
    groups = min(len(page.groups), max(room // 2, room - len(page.topics)))
    return Group(
        _head(page),
        _topics(page.topics[: max(1, room - groups)]),
        _groups(page.groups[:groups]),
        Text("q quits", style="dim"),
    )


def _head(page: Page) -> Text:
    rate = sum(topic.records_per_s for topic in page.topics)
    lag = sum(group.lag for group in page.groups)
    head = Text(f"{page.bootstrap}  ", style="bold")
    head.append(
        f"{counted(page.brokers, 'broker')}  {counted(len(page.topics), 'topic')}  "
        f"{count_text(rate)} records/s  lag {count_text(lag)}",
        style="not bold",
    )
    offline = sum(topic.offline for topic in page.topics)
    under = sum(topic.under_replicated for topic in page.topics)
    if offline:
        head.append(f"  {offline} offline", style="red")
    if under:
        head.append(f"  {under} under-replicated", style="yellow")
    if page.note:
        head.append(f"\n{page.note}", style="red")
    return head


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold cyan")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _topics(rates: Sequence[TopicRate]) -> Table:
    table = _table("topic", "partitions", "records/s", "records", "bytes/s", "size", "")
    for rate in rates:
        table.add_row(
            Text(rate.topic),
            str(rate.partitions),
            count_text(rate.records_per_s),
            count_text(rate.records),
            "-" if rate.bytes_per_s is None else f"{size_text(round(rate.bytes_per_s))}/s",
            "-" if rate.size_bytes is None else size_text(rate.size_bytes),
            Text(_trouble(rate), style="red" if rate.offline else "yellow"),
        )
    return table


def _trouble(rate: TopicRate) -> str:
    if rate.offline:
        return f"{rate.offline} offline"
    return f"{rate.under_replicated} under-replicated" if rate.under_replicated else ""


def _groups(rates: Sequence[GroupRate]) -> Table:
    table = _table("\ngroup", "\nstate", "\nlag", "\nrecords/s", "\ncaught up in")
    for rate in rates:
        table.add_row(
            Text(rate.group),
            Text(rate.state),
            Text(count_text(rate.lag), style="yellow" if rate.lag else ""),
            count_text(rate.records_per_s),
            "-" if rate.catches_up_s is None else format_duration(rate.catches_up_s * 1000),
        )
    return table
