"""`ottla group journal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import GROUPS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

if TYPE_CHECKING:
    from ottla.client.admin.rebalances import RebalanceCause, RebalanceDescription

COLUMNS: Final = {
    "started_at_ms": "began",
    "took_ms": "took",
    "generations": "generation",
    "members": "members",
    "why": "because",
}


@click.command()
@click.argument("group", shell_complete=GROUPS)
@cluster_options
@output_option
def command(group: str, cluster: ClusterOptions, output: Output) -> None:
    """Show why a group has rebalanced: its last rebalances and who caused them.

    Ottla's brokers remember 32 of each group, for as long as they run; Kafka's remember none.

    \b
    ottla group journal billing
    ottla group journal billing -o json
    """
    found = ask(cluster, lambda admin: admin.groups.rebalances(group))
    rows = [_row(rebalance, for_people=output.is_for_people) for rebalance in found]
    output.show(rows, COLUMNS)


def _row(rebalance: RebalanceDescription, *, for_people: bool) -> dict[str, object]:
    ended_ms = rebalance.ended_ms
    row: dict[str, object] = {
        "started_at_ms": rebalance.started_ms,
        "ended_at_ms": ended_ms,
        "took_ms": None if ended_ms is None else ended_ms - rebalance.started_ms,
        "from_generation": rebalance.from_generation,
        "to_generation": rebalance.to_generation,
        "members": rebalance.members,
        "causes_count": rebalance.causes_count,
    }
    if for_people:
        after = "…" if rebalance.to_generation is None else rebalance.to_generation
        row["generations"] = f"{rebalance.from_generation} → {after}"
        row["why"] = _why(rebalance)
    else:
        row["causes"] = [
            {name: getattr(cause, name) for name in cause.__struct_fields__}
            for cause in rebalance.causes
        ]
    return row


def _why(rebalance: RebalanceDescription) -> str:
    texts = [_cause(cause) for cause in rebalance.causes]
    more = rebalance.causes_count - len(texts)
    return "; ".join([*texts, f"and {more} more"] if more > 0 else texts)


def _cause(cause: RebalanceCause) -> str:
    who = cause.group_instance_id or cause.client_id or cause.member_id
    detail = f" ({cause.detail})" if cause.detail else ""
    return f"{who} {cause.trigger}{detail}".strip()
