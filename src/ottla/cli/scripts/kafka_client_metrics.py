"""`kafka-client-metrics`: which metrics clients are asked to send."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.base.ids import format_uuid
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import Options, ScriptParser, UsageError

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin

_ACTIONS: Final = ("alter", "describe", "delete", "list")
_SETTINGS: Final = {"interval": "interval.ms", "match": "match", "metrics": "metrics"}


def main(arguments: Sequence[str]) -> int:
    """What the cluster refuses is told on standard output, as Kafka's tool does."""
    options = _parser().parse(arguments)
    _check(options)
    action = next(action for action in _ACTIONS if options.has(action))
    cluster = cluster_of(options)
    try:
        ask(cluster, lambda admin: _DO[action](admin, options))
    except UsageError:
        raise
    except UserError as error:
        print(f"Error while executing client metrics command : {reason(error)}")
        return 1
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser("Tells clients which metrics to send.")
    parser.value("bootstrap-server", argument="server to connect to", help="REQUIRED: any node.")
    parser.value(
        "command-config",
        argument="command config property file",
        help="A file with settings of the client.",
    )
    parser.flag("alter", help="Change a subscription, or make it.")
    parser.flag("describe", help="Print subscriptions.")
    parser.flag("delete", help="Forget a subscription.")
    parser.flag("list", help="Print the names of subscriptions.")
    parser.value("name", help="The subscription.")
    parser.flag("generate-name", help="Invent a name for a new one.")
    parser.value(
        "interval", argument="push interval", help="Milliseconds between two pushes of a client."
    )
    parser.value(
        "match", argument="k1=v1,k2=v2", help="Which clients, by expressions of what they tell."
    )
    parser.value(
        "metrics", argument="m1,m2", help="Beginnings of the names of metrics; * for all of them."
    )
    return parser


def _check(options: Options) -> None:
    """Raises UsageError."""
    if sum(map(options.has, _ACTIONS)) != 1:
        options.refuse(
            "Command must include exactly one action: --alter, --delete, --describe or --list"
        )
    options.require("bootstrap-server")
    if options.has("alter"):
        if options.has("name") == options.has("generate-name"):
            raise UsageError("One of --name or --generate-name must be specified with --alter.")
        if not any(map(options.has, _SETTINGS)):
            raise UsageError("--alter takes --interval, --match or --metrics")
    if options.has("delete") and not options.has("name"):
        raise UsageError("A client metrics resource name must be specified with --delete.")


async def _alter(admin: Admin, options: Options) -> None:
    """An empty value takes a setting back."""
    from ottla.client.admin.config_entries import ConfigResource

    name = options.text("name") or format_uuid(secrets.token_bytes(16))
    changes = {
        key: options.text(option) or None
        for option, key in _SETTINGS.items()
        if options.has(option)
    }
    (await admin.configs.alter({ConfigResource.client_metrics(name): changes})).all()
    print(f"Altered client metrics config for {name}.")


async def _delete(admin: Admin, options: Options) -> None:
    name = options.needed_text("name")
    await admin.client_metrics.delete(name)
    print(f"Deleted client metrics config for {name}.")


async def _describe(admin: Admin, options: Options) -> None:
    names = await admin.client_metrics.list()
    wanted = options.text("name")
    if wanted is not None and wanted not in names:
        print(f"The client metric resource {wanted} doesn't exist and doesn't have dynamic config.")
        return
    for name in names if wanted is None else (wanted,):
        await _print(admin, name)


async def _print(admin: Admin, name: str) -> None:
    from ottla.client.admin.config_entries import ConfigResource

    resource = ConfigResource.client_metrics(name)
    settings = (await admin.configs.describe(resource))[resource]
    print(f"Client metrics configs for {name} are:")
    for key in sorted(settings):
        print(f"  {key}={settings[key].value}")


async def _list(admin: Admin, options: Options) -> None:
    print("\n".join(await admin.client_metrics.list()))


_DO: Final = {"alter": _alter, "describe": _describe, "delete": _delete, "list": _list}
