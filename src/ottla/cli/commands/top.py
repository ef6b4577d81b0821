"""`ottla top`."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import click

from ottla.cli.moments import Duration
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

if TYPE_CHECKING:
    from ottla.cli.top.screen import Page

TOPIC_COLUMNS: Final = {
    "topic": "topic",
    "partitions": "partitions",
    "records_per_s": "records/s",
    "records": "records",
    "size_bytes": "size",
    "under_replicated": "under-replicated",
    "offline": "offline",
}
GROUP_COLUMNS: Final = {
    "group": "group",
    "state": "state",
    "lag": "lag",
    "records_per_s": "records/s",
    "catches_up_s": "caught up in s",
}


@click.command()
@click.option(
    "--interval",
    "interval_ms",
    type=Duration(),
    default="2s",
    show_default=True,
    metavar="TIME",
    help="Between two looks.",
)
@click.option("--internal", is_flag=True, help="The brokers' own topics, too.")
@click.option(
    "--once", is_flag=True, help="Print once, after one interval; usual where it is no terminal."
)
@cluster_options
@output_option
def command(
    interval_ms: int, internal: bool, once: bool, cluster: ClusterOptions, output: Output
) -> None:
    """Watch a cluster: records a second of topics, lag of groups, partitions in trouble.

    It asks for offsets alone, so that it works with any Kafka cluster. q or Ctrl-C ends it.

    \b
    ottla top
    ottla top --interval 500ms --internal
    ottla top --once -o json
    """
    interval_s = interval_ms / 1000
    if once or not output.is_for_people or not sys.stdout.isatty():
        _print(asyncio.run(_once(cluster, interval_s, internal=internal)), output)
    else:
        asyncio.run(_live(cluster, interval_s, internal=internal))


async def _once(cluster: ClusterOptions, interval_s: float, *, internal: bool) -> Page:
    from ottla.cli.cluster import connected_admin
    from ottla.cli.top.watching import Watch

    async with connected_admin(cluster) as admin:
        watch = Watch(admin, cluster.bootstrap, internal=internal)
        await watch.look()
        await asyncio.sleep(interval_s)
        return await watch.look()


def _print(page: Page, output: Output) -> None:
    topics = [_row(topic) for topic in page.topics]
    groups = [_row(group) for group in page.groups]
    if output.is_for_people:
        output.show(topics, TOPIC_COLUMNS)
        print()
        output.show(groups, GROUP_COLUMNS)
    else:
        output.show([{"brokers": page.brokers, "topics": topics, "groups": groups}], {})


def _row(rate: object) -> dict[str, object]:
    import msgspec

    row = msgspec.structs.asdict(rate)  # type: ignore[arg-type]  # any struct
    return {
        name: round(value, 1) if isinstance(value, float) else value for name, value in row.items()
    }


async def _live(cluster: ClusterOptions, interval_s: float, *, internal: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    from ottla.cli.cluster import connected_admin
    from ottla.cli.top.screen import rendered
    from ottla.cli.top.watching import Watch, keys_of_terminal, watch

    quits = asyncio.Event()
    console = Console()

    def pressed(key: str) -> None:
        if key in ("q", "Q", "\x03", ""):
            quits.set()

    async with connected_admin(cluster) as admin:
        with (
            Live(console=console, screen=True, auto_refresh=False) as live,
            keys_of_terminal(pressed),
        ):
            await watch(
                Watch(admin, cluster.bootstrap, internal=internal),
                interval_s=interval_s,
                show=lambda page: live.update(rendered(page, height=console.height), refresh=True),
                quits=quits,
            )
