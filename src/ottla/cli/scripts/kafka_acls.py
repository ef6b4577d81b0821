"""`kafka-acls`: lists, adds and removes who may do what."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts.acl_entries import (
    SUPPORTED,
    entries,
    named_resources,
    operation_of,
    pattern_of,
)
from ottla.cli.scripts.clusters import SERVERS, cluster_of_either
from ottla.cli.scripts.command_line import Options, ScriptParser, UsageError

if TYPE_CHECKING:
    from ottla.client.admin.acls import AclBinding, AclFilter
    from ottla.client.admin.admin import Admin

_ACTIONS: Final = ("list", "add", "remove")
_PATTERNS: Final = ("any", "match", "literal", "prefixed")


def main(arguments: Sequence[str]) -> int:
    """What goes wrong with the cluster is told on standard output, as Kafka's tool does."""
    options = _parser().parse(arguments)
    _check(options)
    cluster = cluster_of_either(options)
    action = next(action for action in _ACTIONS if options.has(action))
    try:
        _check_principals(options)
        ask(cluster, lambda admin: _DO[action](admin, options))
    except UsageError:
        raise
    except UserError as error:
        print(f"Error while executing ACL command: {reason(error)}")
        return 1
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser("Lists, adds and removes who may do what.")
    for name in SERVERS:
        parser.value(name, argument="server to connect to", help="REQUIRED, one of them: any node.")
    parser.value(
        "command-config", argument="command-config", help="A file with settings of the client."
    )
    parser.flag("list", help="Print the entries of the resources that are named, or all.")
    parser.flag("add", help="Add entries.")
    parser.flag("remove", help="Remove entries.")
    parser.flag("force", help="Do not ask before entries are removed.")
    _add_resources(parser)
    _add_principals(parser)
    return parser


def _add_resources(parser: ScriptParser) -> None:
    parser.value("topic", help="On this topic, or all with '*'; may come several times.")
    parser.value("group", help="On this group, or all with '*'.")
    parser.flag("cluster", help="On the cluster itself.")
    parser.value("transactional-id", help="On this transactional id, or all with '*'.")
    parser.value("delegation-token", help="On the token of this id, or all with '*'.")
    parser.value("user-principal", help="On tokens that are made for this user.")
    parser.value(
        "resource-pattern-type",
        argument="ANY|MATCH|LITERAL|PREFIXED",
        default="literal",
        help="How names are meant. Not for --add: any for however they are, match for all that "
        "cover the name.",
    )


def _add_principals(parser: ScriptParser) -> None:
    parser.value("operation", help="What may be done; may come several times.")
    parser.value("allow-principal", help="Who may, as User:alice, or all with User:'*'.")
    parser.value("deny-principal", help="Who may not: stronger than what is allowed.")
    parser.value("allow-host", help="From this address only; from all without it.")
    parser.value("deny-host", help="The same of --deny-principal.")
    parser.value("principal", help="With --list: only entries of these.")
    parser.flag("producer", help="All that writing to the topics takes.")
    parser.flag("consumer", help="All that reading the topics in the groups takes.")
    parser.flag("idempotent", help="With --producer: idempotence, before Kafka 3.0.")


def _check(options: Options) -> None:
    """Raises UsageError."""
    if sum(map(options.has, SERVERS)) != 1:
        options.refuse("one of --bootstrap-server and --bootstrap-controller must be specified")
    if sum(map(options.has, _ACTIONS)) != 1:
        options.refuse("Command must include exactly one action: --list, --add, --remove.")
    pattern = options.needed_text("resource-pattern-type").lower()
    if pattern not in _PATTERNS:
        options.refuse(f"--resource-pattern-type takes one of {', '.join(_PATTERNS)}")
    if options.has("add") and pattern in ("any", "match"):
        options.refuse("--add takes names that are literal or prefixed")
    if options.has("principal") and not options.has("list"):
        options.refuse("--principal is for --list")
    if not options.has("list"):
        _check_change(options)


def _check_change(options: Options) -> None:
    resources = named_resources(options)
    if not resources:
        options.refuse("name a resource: --topic, --cluster, --group, --transactional-id, …")
    if options.has("add") and not _has_principals(options):
        options.refuse("--add takes --allow-principal or --deny-principal")
    for way in ("allow", "deny"):
        if options.has(f"{way}-host") and not options.has(f"{way}-principal"):
            options.refuse(f"--{way}-host is for --{way}-principal")
    _check_roles(options)
    for kind, _ in resources:
        supported = ("ALL", *SUPPORTED[kind.name])
        wanted = [operation_of(text) for text in _operations(options)]
        if any(each is None or each.name not in supported for each in wanted):
            options.refuse(f"{kind.name} only supports operations {', '.join(supported)}")


def _check_roles(options: Options) -> None:
    if options.has("idempotent") and not options.has("producer"):
        options.refuse("--idempotent is for --producer")
    if options.has("producer") or options.has("consumer"):
        for other in ("operation", "deny-principal", "deny-host"):
            if options.has(other):
                options.refuse(f"--producer and --consumer take no --{other}")
    if options.has("producer") and not options.has("topic"):
        options.refuse("--producer takes a --topic")
    if options.has("consumer"):
        lacking = [name for name in ("topic", "group") if not options.has(name)]
        if lacking:
            options.refuse(f"--consumer takes a --{lacking[0]}")


def _operations(options: Options) -> list[str]:
    return options.texts("operation")


def _has_principals(options: Options) -> bool:
    return options.has("allow-principal") or options.has("deny-principal")


def _check_principals(options: Options) -> None:
    """Raises UserError."""
    for name in ("allow-principal", "deny-principal", "principal"):
        for text in options.texts(name):
            kind, colon, rest = text.partition(":")
            if not (kind and colon and rest):
                raise UserError(f"{text!r} is no principal as User:alice")


# -- what it does ----------------------------------------------------------------------------------


async def _add(admin: Admin, options: Options) -> None:
    there = set(await _found(admin, options))
    wanted = [binding for binding in entries(options) if binding not in there]
    for binding in entries(options):
        if binding in there:
            print(f"Acl (pattern={_resource(binding)}, entry={_entry(binding)}) already exists.")
    for resource, found in _by_resource(wanted):
        print(f"Adding ACLs for resource `{resource}`: \n \t{found}\n")
    if wanted:
        (await admin.acls.create(*wanted)).all()


async def _found(admin: Admin, options: Options) -> list[AclBinding]:
    """All entries of what is named, in order."""
    found = [await admin.acls.describe(each) for each in _resource_filters(options)]
    return sorted({binding for listed in found for binding in listed})


async def _remove(admin: Admin, options: Options) -> None:
    filters = _entry_filters(options) if _has_principals(options) else _resource_filters(options)
    if not options.has("force") and not _confirmed(filters):
        return
    (await admin.acls.delete(*filters)).all()


def _entry_filters(options: Options) -> list[AclFilter]:
    from ottla.client.admin.acls import AclFilter

    return [
        AclFilter(
            *(each.resource_type, each.resource_name, each.principal, each.operation),
            *(each.permission, each.host, each.pattern_type),
        )
        for each in entries(options)
    ]


def _resource_filters(options: Options) -> list[AclFilter]:
    """All entries of what is named; of everything, where nothing is."""
    from ottla.client.admin.acls import AclFilter

    pattern = pattern_of(options)
    named = named_resources(options)
    return [AclFilter(kind, name, pattern_type=pattern) for kind, name in named] or [AclFilter()]


def _confirmed(filters: Iterable[AclFilter]) -> bool:
    """Nobody there to be asked has not agreed."""
    for each in filters:
        print(f"Remove all that matches {each.resource_type.name} {each.resource_name}? (y/n)")
    return sys.stdin.readline().strip().lower() == "y"


async def _list(admin: Admin, options: Options) -> None:
    bindings = await _found(admin, options)
    principals = [text.strip() for text in options.texts("principal")]
    if not principals:
        _print(bindings)
    for principal in principals:
        print(f"ACLs for principal `{principal}`")
        _print(each for each in bindings if each.principal == principal)


def _print(bindings: Iterable[AclBinding]) -> None:
    for resource, found in _by_resource(bindings):
        print(f"Current ACLs for resource `{resource}`:\n\t{found}\n")


def _by_resource(bindings: Iterable[AclBinding]) -> Iterable[tuple[str, str]]:
    """A resource, and its entries in lines."""
    for resource, found in groupby(sorted(bindings), _resource):
        yield resource, "\n\t".join(dict.fromkeys(map(_entry, found)))


def _resource(binding: AclBinding) -> str:
    return (
        f"ResourcePattern(resourceType={binding.resource_type.name}, "
        f"name={binding.resource_name}, patternType={binding.pattern_type.name})"
    )


def _entry(binding: AclBinding) -> str:
    return (
        f"(principal={binding.principal}, host={binding.host}, "
        f"operation={binding.operation.name}, permissionType={binding.permission.name})"
    )


_DO: Final = {"list": _list, "add": _add, "remove": _remove}
