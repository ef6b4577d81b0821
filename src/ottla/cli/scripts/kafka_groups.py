"""`kafka-groups`: lists groups of all types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.cluster import ask
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import Options, ScriptParser
from ottla.cli.scripts.padded import Column, padded

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.group_descriptions import GroupListing

_FILTERS: Final = ("group-type", "protocol", "consumer", "share", "streams")
_TYPES: Final = ("classic", "consumer", "share", "streams")
_CONSUMER: Final = "consumer"
_HEADINGS: Final = ("GROUP", "TYPE", "PROTOCOL")
_WIDTH_MIN: Final = 20


def main(arguments: Sequence[str]) -> int:
    """Raises UserError."""
    options = _parser().parse(arguments)
    options.require("bootstrap-server")
    if not options.has("list"):
        options.refuse("Command must include exactly one action: --list")
    for place, name in enumerate(_FILTERS):
        others = [
            each for each in _FILTERS[place + 1 :] if {name, each} != {"group-type", "protocol"}
        ]
        options.forbid_beside(name, *others)
    if (options.text("group-type") or _CONSUMER).lower() not in _TYPES:
        options.refuse(f"--group-type must be one of {', '.join(_TYPES)}")
    groups = ask(cluster_of(options), _listed)
    rows = [
        (group.group_id, group.type.value.capitalize(), group.protocol_type)
        for group in groups
        if _is_wanted(group, options)
    ]
    # All columns are as wide as the first one.
    width = max([_WIDTH_MIN, *(len(group_id) for group_id, _, _ in rows)])
    print(*padded([Column(heading, width) for heading in _HEADINGS], rows), sep="\n")
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser("Lists groups of all types.")
    parser.value("bootstrap-server", argument="server to connect to", help="REQUIRED: any node.")
    parser.value(
        "command-config",
        argument="command config property file",
        help="A file with settings of the client.",
    )
    parser.flag("list", help="Print the groups that there are.")
    parser.value("group-type", argument="type", help="Only groups of this type.")
    parser.value("protocol", help="Only groups whose members speak this protocol.")
    parser.flag("consumer", help="Only groups of consumers, of any protocol.")
    parser.flag("share", help="Only share groups.")
    parser.flag("streams", help="Only groups of streams.")
    return parser


async def _listed(admin: Admin) -> tuple[GroupListing, ...]:
    return await admin.groups.list()


def _is_wanted(group: GroupListing, options: Options) -> bool:
    if options.has("consumer"):
        of_consumers = group.protocol_type in ("", _CONSUMER) and group.type.value == "classic"
        return of_consumers or group.type.value == _CONSUMER
    for flag in ("share", "streams"):
        if options.has(flag):
            return group.type.value == flag
    type_, protocol = options.text("group-type"), options.text("protocol")
    is_of_type = type_ is None or group.type.value == type_.lower()
    return is_of_type and (protocol is None or group.protocol_type == protocol)
