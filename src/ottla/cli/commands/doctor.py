"""`ottla doctor`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

import click

from ottla.cli.exit_codes import Exit
from ottla.cli.moments import Duration
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

if TYPE_CHECKING:
    from ottla.cli.doctor.finding import Finding
    from ottla.cli.doctor.groups import Patience
    from ottla.cli.groups.lag import PartitionLag

COLUMNS: Final = {
    "check": "check",
    "level": "level",
    "about": "about",
    "told": "finding",
    "remedy": "remedy",
}
_SIGNS: Final = {"fine": "✓", "note": "·", "warning": "!", "problem": "✗"}
_COLOURS: Final = {"fine": "green", "note": "blue", "warning": "yellow", "problem": "red"}


@click.command()
@click.option(
    "--max-lag",
    "lag_ms",
    type=Duration(),
    default="5m",
    show_default=True,
    metavar="TIME",
    help="How old the first unread record of a group may be.",
)
@click.option(
    "--sample",
    "sample_ms",
    type=Duration(),
    default="2s",
    show_default=True,
    metavar="TIME",
    help="How long groups with unread records are watched.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 for warnings, too.")
@cluster_options
@output_option
def command(
    lag_ms: int, sample_ms: int, strict: bool, cluster: ClusterOptions, output: Output
) -> None:
    """Examine a cluster, as clients of this machine meet it; changes nothing.

    Dials every address that brokers advertise; looks at versions, clocks, disks, partitions,
    groups and transactions. Exit code 3 where there is a problem. Any Kafka cluster.

    \b
    ottla doctor
    ottla doctor -b kafka.example.com:9092 --strict
    ottla doctor --max-lag 1h -o json
    """
    import asyncio

    from ottla.cli.doctor.finding import Level
    from ottla.cli.doctor.groups import Patience

    found = asyncio.run(_examine(cluster, Patience(lag_ms=lag_ms, sample_ms=sample_ms)))
    if output.is_for_people:
        _print(found)
    else:
        output.show((_row(check, finding) for check, finding in found), COLUMNS)
    worst = max(finding.level for _, finding in found)
    if worst >= (Level.WARNING if strict else Level.PROBLEM):
        sys.exit(Exit.FOUND)


async def _examine(cluster: ClusterOptions, patience: Patience) -> list[tuple[str, Finding]]:
    from ottla.cli.cluster import CLIENT_ID, connected_admin
    from ottla.cli.doctor.dialling import dialler
    from ottla.cli.doctor.examination import Patient, dial_brokers, examine
    from ottla.client.address import parse_addresses
    from ottla.transport.clock import SystemClock

    clock = SystemClock()

    async def timed(lags: Collection[PartitionLag]) -> Sequence[PartitionLag]:
        return await _with_times(cluster, lags, clock.now_ms())

    async with connected_admin(cluster) as admin:
        dial = dialler(admin.options.connector, client_id=CLIENT_ID)
        described = await admin.cluster.describe()
        patient = Patient(
            admin=admin,
            cluster=described,
            bootstrap=parse_addresses(cluster.bootstrap),
            dial=dial,
            answers=await dial_brokers(dial, described),
            patience=patience,
            timed=timed,
            now_ms=clock.now_ms,
        )
        return await examine(patient)


async def _with_times(
    cluster: ClusterOptions, lags: Collection[PartitionLag], now_ms: int
) -> Sequence[PartitionLag]:
    from ottla.cli.cluster import consumer
    from ottla.cli.groups.lag import with_times

    async with consumer(
        cluster,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        enable_auto_commit=False,
        max_partition_fetch_bytes=64 * 1024,
    ) as reading:
        return await with_times(reading, lags, now_ms=now_ms)


def _row(check: str, finding: Finding) -> dict[str, object]:
    return {
        "check": check,
        "level": finding.level.name.lower(),
        "about": finding.about,
        "told": finding.told,
        "remedy": finding.remedy,
    }


def _print(found: Sequence[tuple[str, Finding]]) -> None:
    """A line for each check, and two for each thing that is not fine."""
    last = ""
    for check, finding in found:
        level = finding.level.name.lower()
        sign = click.style(_SIGNS[level], fg=_COLOURS[level])
        name = check if check != last else ""
        about = f"{finding.about}: " if finding.about else ""
        click.echo(f"{sign} {name:<13} {about}{finding.told}")
        if finding.remedy:
            click.echo(f"{'':15} → {finding.remedy}")
        last = check
