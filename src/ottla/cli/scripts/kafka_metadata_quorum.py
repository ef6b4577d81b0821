"""`kafka-metadata-quorum`: who keeps the metadata log, and how far they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.base.ids import ZERO_UUID, format_uuid
from ottla.cli.cluster import ask
from ottla.cli.scripts.command_line import UsageError
from ottla.cli.scripts.padded import tabbed
from ottla.cli.scripts.subcommands import SubcommandParser, add_config, add_server, cluster_in

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.quorum import QuorumDescription, QuorumReplica

_HEADINGS: Final = (
    *("NodeId", "DirectoryId", "LogEndOffset", "Lag"),
    *("LastFetchTimestamp", "LastCaughtUpTimestamp", "Status"),
)
_UNKNOWN: Final = -1


def main(arguments: Sequence[str]) -> int:
    """Raises UserError; so for voters that shall come or go, which no node here can do."""
    options = _parser().read(arguments)
    if options.action != "describe":
        raise UserError(f"{options.action}: the cluster does not change its voters")
    if options.status == options.replication:
        raise UsageError("describe takes one of --status and --replication")
    if options.human_readable and not options.replication:
        raise UsageError("--human-readable is for --replication")
    cluster_id, quorum = ask(cluster_in(options), _asked)
    if options.status:
        _print_status(cluster_id, quorum)
    else:
        _print_replication(quorum, human=options.human_readable)
    return 0


async def _asked(admin: Admin) -> tuple[str | None, QuorumDescription]:
    described = await admin.cluster.describe()
    return described.cluster_id, await admin.cluster.quorum()


def _parser() -> SubcommandParser:
    parser = SubcommandParser(
        prog="kafka-metadata-quorum", description="Tells who keeps the metadata log."
    )
    add_config(parser)
    add_server(parser)
    actions = parser.add_subparsers(dest="action", required=True)
    described = actions.add_parser("describe", help="print what the leader knows")
    described.add_argument("--status", action="store_true", help="the quorum as a whole")
    described.add_argument("--replication", action="store_true", help="how far each replica is")
    described.add_argument(
        "--human-readable", action="store_true", help="with --replication: how long ago it was"
    )
    added = actions.add_parser("add-controller", help="refused: voters do not change here")
    removed = actions.add_parser("remove-controller", help="refused: voters do not change here")
    removed.add_argument("--controller-id", "-i", type=int, required=True)
    removed.add_argument("--controller-directory-id", "-d", required=True)
    for action in (added, removed):
        action.add_argument("--dry-run", action="store_true")
    return parser


# -- status ----------------------------------------------------------------------------------------


def _print_status(cluster_id: str | None, quorum: QuorumDescription) -> None:
    followers = [each for each in _replicas(quorum) if each.node_id != quorum.leader_id]
    for name, told in (
        ("ClusterId", cluster_id),
        ("LeaderId", quorum.leader_id),
        ("LeaderEpoch", quorum.leader_epoch),
        ("HighWatermark", quorum.high_watermark),
        ("MaxFollowerLag", _largest_lag(quorum, followers)),
        ("MaxFollowerLagTimeMs", _largest_lag_ms(quorum, followers)),
        ("CurrentVoters", _nodes(quorum, quorum.voters)),
        ("CurrentObservers", _nodes(quorum, quorum.observers)),
    ):
        print(f"{name + ':':<23} {told}")


def _replicas(quorum: QuorumDescription) -> list[QuorumReplica]:
    return [*quorum.voters, *quorum.observers]


def _leader(quorum: QuorumDescription) -> QuorumReplica:
    """Raises UserError where nobody leads."""
    for replica in quorum.voters:
        if replica.node_id == quorum.leader_id:
            return replica
    raise UserError("the quorum has no leader that is a voter")


def _largest_lag(quorum: QuorumDescription, followers: Iterable[QuorumReplica]) -> int:
    end = _leader(quorum).log_end_offset
    return max((end - each.log_end_offset for each in followers), default=0)


def _largest_lag_ms(quorum: QuorumDescription, followers: Iterable[QuorumReplica]) -> int:
    now_ms = _leader(quorum).last_caught_up_ms
    times = [each.last_caught_up_ms for each in followers]
    if not times:
        return 0
    if now_ms is None or any(time_ms is None for time_ms in times):
        return _UNKNOWN
    return max(now_ms - (time_ms or 0) for time_ms in times)


def _nodes(quorum: QuorumDescription, replicas: Iterable[QuorumReplica]) -> str:
    return json.dumps([_node(quorum, each) for each in replicas])


def _node(quorum: QuorumDescription, replica: QuorumReplica) -> dict[str, object]:
    told: dict[str, object] = {"id": replica.node_id}
    if replica.directory_id != ZERO_UUID:
        told["directoryId"] = format_uuid(replica.directory_id)
    listeners = quorum.nodes.get(replica.node_id, ())
    if listeners:
        told["endpoints"] = [f"{each.name}://{each.host}:{each.port}" for each in listeners]
    return told


# -- replication -----------------------------------------------------------------------------------


def _print_replication(quorum: QuorumDescription, *, human: bool) -> None:
    from ottla.transport.clock import SystemClock

    now_ms = SystemClock().now_ms() if human else None
    end = _leader(quorum).log_end_offset
    rows = []
    for replica, status in (
        *((each, "Follower") for each in quorum.voters),
        *((each, "Observer") for each in quorum.observers),
    ):
        is_leader = replica.node_id == quorum.leader_id and status == "Follower"
        rows.append(
            [
                *(replica.node_id, format_uuid(replica.directory_id)),
                *(replica.log_end_offset, end - replica.log_end_offset),
                *(_time(replica.last_fetch_ms, now_ms), _time(replica.last_caught_up_ms, now_ms)),
                "Leader" if is_leader else status,
            ]
        )
    rows.sort(key=lambda row: row[-1] != "Leader")
    print(*tabbed(_HEADINGS, rows), sep="\n")


def _time(time_ms: int | None, now_ms: int | None) -> str:
    if now_ms is None:
        return str(_UNKNOWN if time_ms is None else time_ms)
    return "unknown" if time_ms is None else f"{max(0, now_ms - time_ms)} ms ago"
