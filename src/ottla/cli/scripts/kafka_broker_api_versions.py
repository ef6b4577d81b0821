"""`kafka-broker-api-versions`: what each broker takes, and what this client would use of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.cluster import ask
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import ScriptParser

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.cluster import ApiRange
    from ottla.wire.schema import Message


_BETWEEN_NODES: Final = frozenset({4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82})
"""APIs that brokers and controllers have for each other: nobody misses them in a client."""


def main(arguments: Sequence[str]) -> int:
    """A block for each broker; one that cannot be asked says why."""
    parser = ScriptParser("Prints which APIs brokers take, in which versions.")
    parser.value("bootstrap-server", argument="server(s) to use", help="REQUIRED: any node.")
    parser.value("command-config", argument="file", help="A file with settings of the client.")
    options = parser.parse(arguments)
    options.require("bootstrap-server")
    ask(cluster_of(options), _print)
    return 0


async def _print(admin: Admin) -> None:
    from ottla.wire.messages import load_all, requests

    load_all()
    known = {key: requests[key] for key in requests if key not in _BETWEEN_NODES}
    nodes = {each.node.node_id: each for each in (await admin.cluster.describe()).nodes}
    outcomes = await admin.cluster.api_versions()
    for broker, each in sorted(nodes.items()):
        node = each.node
        rack = node.rack or "null"
        fenced = str(each.is_fenced).lower()
        title = f"{node.host}:{node.port} (id: {broker} rack: {rack} isFenced: {fenced}) -> "
        error = outcomes.error(broker) if broker in outcomes else None
        if error is not None:
            print(f"{title}ERROR: {error}")
            continue
        print(f"{title}(\n" + ",\n".join(_lines(outcomes[broker], known)) + "\n)")


def _lines(offered: Mapping[int, ApiRange], known: Mapping[int, type[Message]]) -> Iterator[str]:
    for key in sorted(known.keys() | offered.keys()):
        request = known.get(key)
        taken = offered.get(key)
        name = "UNKNOWN" if request is None else request.__name__.removesuffix("Request")
        if taken is None:
            yield f"\t{name}({key}): UNSUPPORTED"
            continue
        line = f"\t{name}({key}): {_span(taken.first, taken.last)}"
        yield line if request is None else f"{line} [{_usable(taken, request)}]"


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _usable(taken: ApiRange, request: type[Message]) -> str:
    ours = request.VERSIONS
    last = min(taken.last, ours.max)
    return f"usable: {last}" if last >= max(taken.first, ours.min) else "unusable: node too new"
