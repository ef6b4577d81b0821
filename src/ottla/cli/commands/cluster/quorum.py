"""`ottla cluster quorum`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.ids import format_uuid
from ottla.cli.cluster import ask
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

if TYPE_CHECKING:
    from ottla.client.admin.quorum import QuorumDescription, QuorumReplica

COLUMNS = {
    "node": "node",
    "role": "role",
    "log_end_offset": "log end",
    "lag": "lag",
    "last_fetch_at_ms": "last fetch",
    "last_caught_up_at_ms": "last caught up",
    "listeners": "listeners",
}


@click.command()
@cluster_options
@output_option
def command(cluster: ClusterOptions, output: Output) -> None:
    """Show who keeps the metadata log, and how far each is (Kafka 3.3).

    \b
    ottla cluster quorum
    ottla cluster quorum --output yaml
    """
    found = ask(cluster, lambda admin: admin.cluster.quorum())
    if output.is_for_people:
        output.say(
            f"leader {found.leader_id}, epoch {found.leader_epoch}, "
            f"high watermark {found.high_watermark}"
        )
    rows = [_row(found, voter, "voter") for voter in found.voters]
    rows += [_row(found, observer, "observer") for observer in found.observers]
    output.show(rows, COLUMNS)


def _row(found: QuorumDescription, replica: QuorumReplica, role: str) -> dict[str, object]:
    ends = {each.node_id: each.log_end_offset for each in (*found.voters, *found.observers)}
    is_leader = replica.node_id == found.leader_id
    return {
        "node": replica.node_id,
        "directory_id": format_uuid(replica.directory_id),
        "role": "leader" if is_leader else role,
        "log_end_offset": replica.log_end_offset,
        "lag": ends.get(found.leader_id, replica.log_end_offset) - replica.log_end_offset,
        "last_fetch_at_ms": replica.last_fetch_ms,
        "last_caught_up_at_ms": replica.last_caught_up_ms,
        "listeners": [
            f"{each.name}://{each.host}:{each.port}"
            for each in found.nodes.get(replica.node_id, ())
        ],
        "leader_epoch": found.leader_epoch,
        "high_watermark": found.high_watermark,
    }
