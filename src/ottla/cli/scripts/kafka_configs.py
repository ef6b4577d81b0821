"""`kafka-configs`: shows and changes what is set of topics, brokers, groups, users and clients."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import ProtocolError, UserError
from ottla.cli.cluster import ask
from ottla.cli.scripts.clusters import cluster_of, read_file
from ottla.cli.scripts.command_line import Options, ScriptParser
from ottla.cli.scripts.config_entities import CLIENTS, IPS, USERS, Entity, entities_of
from ottla.cli.scripts.refusals import CommandRefused

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin

_OUTSIDE_BRACKETS: Final = r"(?=[^\]]*(?:\[|$))"
"""What follows a comma, or an equals sign, that no brackets are around."""


def main(arguments: Sequence[str]) -> int:
    """A command line is refused by its reason alone; what the cluster refuses, with both."""
    options = _parser().parse(arguments)
    _check_action(options)
    entities = entities_of(options)
    _check(options)
    cluster = cluster_of(options)
    added = _added(options) if options.has("alter") else {}
    removed = [name.strip() for name in options.texts("delete-config")]

    async def do(admin: Admin) -> None:
        if options.has("describe"):
            await _describe(admin, entities, all_=options.has("all"))
        else:
            await _alter(admin, entities, added, removed)

    try:
        ask(cluster, do)
    except CommandRefused:
        raise
    except (UserError, ProtocolError) as error:
        typed = " ".join(arguments)
        print(f"Error while executing config command with args '{typed}'", file=sys.stderr)
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser(
        "Shows and changes settings of topics, brokers, groups, client metrics, and the quotas "
        "and passwords of users, clients and addresses."
    )
    parser.value("bootstrap-server", argument="server to connect to", help="Any node.")
    parser.value(
        "bootstrap-controller", argument="controller", help="Refused here: ask a broker instead."
    )
    parser.value(
        "command-config", argument="properties file", help="A file with settings of the client."
    )
    parser.flag("alter", help="Change settings.")
    parser.flag("describe", help="Show settings.")
    parser.flag("all", help="With --describe: also what nobody has set.")
    parser.flag("force", help="Taken: there is nothing here that would ask.")
    parser.value("add-config", help="Settings 'k1=v1,k2=[v1,v2],k3=v3' to make or change.")
    parser.value("add-config-file", help="A .properties file of settings to make or change.")
    parser.value("delete-config", separator=",", help="Names 'k1,k2' that go back to default.")
    parser.value("entity-type", help="topics, clients, users, brokers, broker-loggers, ips, ...")
    parser.value("entity-name", help="The name of one; users and clients may be given together.")
    parser.flag("entity-default", help="All that have none of their own.")
    parser.value("topic", help="A topic's name.")
    parser.value("client", help="A client's id.")
    parser.flag("client-defaults", help="All clients that have none of their own.")
    parser.value("user", help="A user's name.")
    parser.flag("user-defaults", help="All users that have none of their own.")
    parser.value("broker", help="A broker's id.")
    parser.flag("broker-defaults", help="All brokers that have none of their own.")
    parser.value("broker-logger", help="The id of a broker whose loggers are meant.")
    parser.value("ip", help="An address, or a name that has one.")
    parser.flag("ip-defaults", help="All addresses that have none of their own.")
    parser.value("client-metrics", help="A subscription's name.")
    parser.value("group", help="A group's name.")
    return parser


def _check_action(options: Options) -> None:
    if options.has("alter") == options.has("describe"):
        options.refuse("Command must include exactly one action: --describe, --alter")
    options.forbid_beside("describe", "add-config", "add-config-file", "delete-config")


def _check(options: Options) -> None:
    if options.has("bootstrap-server") and options.has("bootstrap-controller"):
        raise UserError("Only one of --bootstrap-server or --bootstrap-controller can be specified")
    if options.has("bootstrap-controller"):
        raise UserError("controllers are not asked by this tool: name a broker, --bootstrap-server")
    if not options.has("bootstrap-server"):
        raise UserError("Either --bootstrap-server or --bootstrap-controller must be specified.")
    if options.has("describe"):
        return
    changes = [name for name in ("add-config", "add-config-file") if options.has(name)]
    if not changes and not options.has("delete-config"):
        raise UserError(
            "At least one of --add-config, --add-config-file, or --delete-config must be "
            "specified with --alter"
        )
    if len(changes) > 1:
        raise UserError("Only one of --add-config or --add-config-file must be specified")


def _added(options: Options) -> dict[str, str]:
    path = options.text("add-config-file")
    if path is not None:
        return read_file(path)
    text = options.text("add-config")
    if text is None:
        return {}
    pairs = [
        re.split(rf"\s*={_OUTSIDE_BRACKETS}\s*", part)
        for part in re.split(f",{_OUTSIDE_BRACKETS}", text)
    ]
    if any(len(pair) != 2 for pair in pairs):
        raise UserError(
            'Invalid entity config: it takes the form "key=val", or "key=[val1,val2]" around '
            "values that contain commas"
        )
    return {key.strip(): re.sub(r"[\[\]]", "", value).strip() for key, value in pairs}


async def _describe(admin: Admin, entities: Sequence[Entity], *, all_: bool) -> None:
    from ottla.cli.scripts import config_resources, config_users

    if entities[0].type in (USERS, CLIENTS, IPS):
        await config_users.describe(admin, entities)
    else:
        await config_resources.describe(admin, entities[0], all_=all_)


async def _alter(
    admin: Admin, entities: Sequence[Entity], added: dict[str, str], removed: Sequence[str]
) -> None:
    from ottla.cli.scripts import config_resources, config_users

    first = entities[0]
    if first.type in (USERS, CLIENTS, IPS):
        await config_users.alter(admin, entities, added, removed)
    else:
        await config_resources.alter(admin, first, added, removed)
    if first.name:
        print(f"Completed updating config for {first}.")
    else:
        print(f"Completed updating default config for {first.type} in the cluster.")
