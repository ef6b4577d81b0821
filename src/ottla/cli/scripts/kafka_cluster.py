"""`kafka-cluster`: the cluster's id, its brokers, and forgetting one of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts.padded import Column, padded
from ottla.cli.scripts.subcommands import SubcommandParser, add_config, add_server, cluster_in

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin

_COLUMNS: Final = (
    Column("ID", 10),
    Column("HOST", 9, grows=True),
    Column("PORT", 10),
    Column("RACK", 10, grows=True),
    Column("STATE", 10),
    Column("ENDPOINT_TYPE", 15),
)


def main(arguments: Sequence[str]) -> int:
    """Raises UserError."""
    options = _parser().read(arguments)
    action = {"cluster-id": _cluster_id, "unregister": _unregister}.get(options.action, _endpoints)

    async def do(admin: Admin) -> None:
        await action(admin, options)

    ask(cluster_in(options), do)
    return 0


def _parser() -> SubcommandParser:
    parser = SubcommandParser(prog="kafka-cluster", description="Asks about the cluster itself.")
    actions = parser.add_subparsers(dest="action", required=True)
    for name, purpose in (
        ("cluster-id", "print the id of the cluster"),
        ("unregister", "forget a broker that is gone for good"),
        ("list-endpoints", "print where the brokers listen"),
    ):
        action = actions.add_parser(name, help=purpose)
        add_server(action)
        add_config(action, "--command-config", "--config", "-c")
    actions.choices["unregister"].add_argument("--id", "-i", type=int, required=True)
    actions.choices["list-endpoints"].add_argument(
        "--include-fenced-brokers", action="store_true", help="also those that do not serve"
    )
    return parser


async def _cluster_id(admin: Admin, options: argparse.Namespace) -> None:
    found = await admin.cluster.describe()
    known = found.cluster_id is not None
    print(f"Cluster ID: {found.cluster_id}" if known else "The cluster has no id: it is too old.")


async def _unregister(admin: Admin, options: argparse.Namespace) -> None:
    try:
        await admin.cluster.unregister_broker(options.id)
    except UserError as error:
        raise UserError(f"Broker {options.id} could not be forgotten: {reason(error)}") from error
    print(f"Broker {options.id} is no longer registered.")


async def _endpoints(admin: Admin, options: argparse.Namespace) -> None:
    fenced = options.include_fenced_brokers
    found = await admin.cluster.describe(fenced=fenced)
    rows = [
        (
            *(each.node.node_id, each.node.host, each.node.port, each.node.rack or "null"),
            *("fenced" if each.is_fenced else "unfenced", "broker"),
        )
        for each in found.nodes
    ]
    print(*padded(_COLUMNS, rows), sep="\n")
