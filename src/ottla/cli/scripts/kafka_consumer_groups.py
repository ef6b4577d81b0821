"""`kafka-consumer-groups`: lists, describes and deletes groups, and resets their offsets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import ProtocolError, UserError
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import Kind, Options, ScriptParser, UsageError
from ottla.cli.scripts.padded import Column, padded

if TYPE_CHECKING:
    from ottla.base.ids import TopicPartition
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.group_descriptions import GroupListing, GroupState, GroupType

_ACTIONS: Final = ("list", "describe", "delete", "reset-offsets", "delete-offsets")
_SCENARIOS: Final = (
    *("to-offset", "to-datetime", "by-duration", "to-earliest", "to-latest"),
    *("shift-by", "from-file", "to-current"),
)
_OF_RESETS: Final = (*_SCENARIOS, "dry-run", "execute", "export")
_VIEWS: Final = ("members", "offsets", "state")
_CONSUMER_TYPES: Final = ("consumer", "classic")
_LISTED_WIDTH_MIN: Final = 15
_LISTED_MARGIN: Final = 10


def main(arguments: Sequence[str]) -> int:
    """What the cluster refuses is told on standard output, and is no failure, as with Kafka's."""
    options = _parser().parse(arguments)
    if options.has("validate-regex"):
        return _validate(options.needed_text("validate-regex"))
    _check(options)
    cluster = cluster_of(options)
    action = next(action for action in _ACTIONS if options.has(action))
    try:
        ask(cluster, lambda admin: _DO[action](admin, options))
    except UsageError:
        raise
    except (UserError, ProtocolError) as error:
        print(f"\nError: Executing consumer group command failed due to {reason(error)}")  # type: ignore[arg-type]  # has its message
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser(
        "Lists, describes and deletes consumer groups, and resets their offsets.",
        tells_usage=True,
    )
    parser.value("bootstrap-server", argument="server to connect to", help="REQUIRED: any node.")
    parser.value(
        "command-config",
        argument="command config property file",
        help="A file with settings of the client.",
    )
    parser.flag("list", help="Print the groups that there are.")
    parser.flag("describe", help="Print offsets, members or the state of groups.")
    parser.flag("delete", help="Delete groups without members, and all they have committed.")
    parser.flag("reset-offsets", help="Move a group without members to other offsets.")
    parser.flag("delete-offsets", help="Forget what a group has committed of topics.")
    parser.value("validate-regex", argument="regex", help="Whether consumers may subscribe to it.")
    parser.value("group", argument="consumer group", help="The group; may come several times.")
    parser.flag("all-groups", help="All groups of consumers.")
    parser.value(
        "topic", help="A topic, or some of its partitions as topic:0,1; may come several times."
    )
    parser.flag("all-topics", help="All topics of which the group has offsets.")
    parser.value(
        "timeout",
        kind=Kind.LONG,
        argument="timeout (ms)",
        default=30_000,
        help="How long an answer may take.",
    )
    _add_views(parser)
    _add_resets(parser)
    return parser


def _add_views(parser: ScriptParser) -> None:
    parser.flag("members", help="With --describe: who is in the group.")
    parser.flag("offsets", help="With --describe: offsets and lag. This is what is told anyway.")
    parser.value(
        "state",
        may_lack=True,
        help="With --describe: the group as a whole. With --list: states too; only these states.",
    )
    parser.value("type", may_lack=True, help="With --list: types too; only groups of these types.")
    parser.flag("verbose", help="With --describe: more columns.")


def _add_resets(parser: ScriptParser) -> None:
    parser.flag("dry-run", help="Only print where a reset leads.")
    parser.flag("execute", help="Carry the reset out.")
    parser.flag("export", help="Print it as lines of topic,partition,offset.")
    parser.value("to-offset", kind=Kind.LONG, argument="offset", help="To this offset.")
    parser.value(
        "to-datetime",
        argument="datetime",
        help="To the first record at or after YYYY-MM-DDThh:mm:ss.sss.",
    )
    parser.value(
        "by-duration", argument="duration", help="To the first record of the last PnDTnHnMnS."
    )
    parser.flag("to-earliest", help="To the first record that there is.")
    parser.flag("to-latest", help="To the end.")
    parser.value(
        "shift-by",
        kind=Kind.LONG,
        argument="number-of-offsets",
        help="So far on; or back, below 0.",
    )
    parser.value(
        "from-file", argument="path to CSV file", help="To the offsets that --export printed."
    )
    parser.flag("to-current", help="To where it is, or the end where it is nowhere.")


def _check(options: Options) -> None:
    """Raises UsageError."""
    if sum(map(options.has, _ACTIONS)) != 1:
        options.refuse(
            "Command must include exactly one action: "
            "--list, --describe, --delete, --reset-offsets, --delete-offsets, --validate-regex"
        )
    options.require("bootstrap-server")
    if not options.has("list"):
        _check_scope(options)
    if options.has("describe") and sum(map(options.has, _VIEWS)) > 1:
        options.refuse("--describe takes at most one of --members, --offsets, --state")
    if options.has("describe") and options.text("state") is not None:
        options.refuse("--describe takes no value for --state")
    if options.has("reset-offsets"):
        _check_reset(options)
    if options.has("delete-offsets"):
        options.require("topic")
    for view in ("members", "offsets", "verbose"):
        options.forbid_beside(view, *(action for action in _ACTIONS if action != "describe"))
    for of_reset in _OF_RESETS:
        options.forbid_beside(of_reset, *(each for each in _ACTIONS if each != "reset-offsets"))
    options.forbid_beside("all-groups", "group")
    options.forbid_beside("type", *(action for action in _ACTIONS if action != "list"))


def _check_scope(options: Options) -> None:
    if options.has("delete-offsets"):
        options.require("group")
    elif not options.has("group") and not options.has("all-groups"):
        options.refuse("name a --group, or --all-groups")


def _check_reset(options: Options) -> None:
    options.forbid_beside("dry-run", "execute")
    given = [scenario for scenario in _SCENARIOS if options.has(scenario)]
    if len(given) != 1:
        options.refuse(f"--reset-offsets takes one of {', '.join('--' + s for s in _SCENARIOS)}")
    if options.has("topic") == options.has("all-topics") and not options.has("from-file"):
        options.refuse("One of the reset scopes should be defined: --all-topics, --topic.")
    if not options.has("execute") and not options.has("dry-run"):
        print("nothing is changed without --execute; say --dry-run to mean it", file=sys.stderr)


def _validate(text: str) -> int:
    """Brokers take the same expressions in subscriptions."""
    from ottla.groups.topic_pattern import TopicPattern

    try:
        TopicPattern(text)
    except ProtocolError as error:
        print(f"The regular expression `{text}` is invalid: {error.message}.")
    else:
        print(f"The regular expression `{text}` is valid.")
    return 0


# -- which there are -------------------------------------------------------------------------------


async def _list(admin: Admin, options: Options) -> None:
    states = _states(options)
    types = _types(options)
    groups = [
        group
        for group in await admin.groups.list(states=states, types=types)
        if group.protocol_type in ("", "consumer") and group.type.value in _CONSUMER_TYPES
    ]
    if not options.has("state") and not options.has("type"):
        for group in groups:
            print(group.group_id)
        return
    longest = max([_LISTED_WIDTH_MIN, *(len(group.group_id) for group in groups)])
    columns = [Column("GROUP", longest + _LISTED_MARGIN)]
    if options.has("type"):
        columns.append(Column("TYPE", 20))
    if options.has("state"):
        columns.append(Column("STATE", 20))
    print(*padded(columns, (_listed(group, options) for group in groups)), sep="\n")


def _listed(group: GroupListing, options: Options) -> list[str]:
    cells = [group.group_id]
    if options.has("type"):
        cells.append(group.type.value.capitalize())
    if options.has("state"):
        cells.append(group.state.value)
    return cells


def _states(options: Options) -> list[GroupState]:
    """Raises UsageError for one that groups of consumers are never in."""
    from ottla.client.admin.group_descriptions import GroupState

    known = {
        state.value.lower(): state
        for state in GroupState
        if state not in (GroupState.UNKNOWN, GroupState.NOT_READY)
    }
    names = [name.strip().lower() for name in (options.text("state") or "").split(",") if name]
    if any(name.replace("_", "") not in known for name in names):
        told = ", ".join(state.value for state in known.values())
        options.refuse(f"Invalid state list '{options.text('state')}'. Valid states are: {told}")
    return [known[name.replace("_", "")] for name in names]


def _types(options: Options) -> list[GroupType]:
    """Raises UsageError for one that groups of consumers never have."""
    from ottla.client.admin.group_descriptions import GroupType

    names = [name.strip().lower() for name in (options.text("type") or "").split(",") if name]
    if any(name not in _CONSUMER_TYPES for name in names):
        told = "Consumer, Classic"
        options.refuse(f"Invalid types list '{options.text('type')}'. Valid types are: {told}")
    return [GroupType(name) for name in names]


# -- what is told of them --------------------------------------------------------------------------


async def wanted_groups(admin: Admin, options: Options) -> list[str]:
    """Those of --group, or all."""
    if options.has("all-groups"):
        return [group.group_id for group in await admin.groups.list()]
    return options.texts("group")


async def _describe(admin: Admin, options: Options) -> None:
    from ottla.cli.scripts import group_report

    groups = await wanted_groups(admin, options)
    verbose = options.has("verbose")
    if options.has("members"):
        await group_report.members(admin, groups, verbose=verbose)
    elif options.has("state"):
        await group_report.states(admin, groups, verbose=verbose)
    else:
        await group_report.offsets(admin, groups, verbose=verbose)


async def _reset(admin: Admin, options: Options) -> None:
    from ottla.cli.scripts.group_reset import reset

    await reset(admin, options, await wanted_groups(admin, options))


# -- what goes -------------------------------------------------------------------------------------


async def _delete(admin: Admin, options: Options) -> None:
    outcomes = await admin.groups.delete(*await wanted_groups(admin, options))
    done = ", ".join(f"'{group_id}'" for group_id in outcomes.done)
    if not outcomes.errors:
        print(f"Deletion of requested consumer groups ({done}) was successful.")
        return
    print("\nError: Deletion of some consumer groups failed:")
    for group_id, error in outcomes.errors.items():
        print(f"* Group '{group_id}' could not be deleted due to: {error}")
    if outcomes.done:
        print(f"\nThese consumer groups were deleted successfully: {done}")


async def _delete_offsets(admin: Admin, options: Options) -> None:
    group_id = options.needed_text("group")
    missing, partitions = await _named(admin, options)
    outcomes = await admin.groups.delete_offsets(group_id, partitions)
    rows: list[tuple[object, ...]] = [
        (name, "-", f"Error: {reason(error)}") for name, error in missing.items()
    ]
    for partition in partitions:
        error = outcomes.error(partition)
        told = "Successful" if error is None else f"Error: {reason(error)}"
        rows.append((partition.topic, partition.partition, told))
    if not outcomes.errors or outcomes.done:
        print(f"Request succeeded for deleting offsets from group {group_id}.")
    else:
        print(f"\nError: offsets of group {group_id} could not be deleted.")
    columns = Column("TOPIC", 15, grows=True), Column("PARTITION", 10), Column("STATUS", 15)
    print("", *padded(columns, sorted(rows, key=str)), sep="\n")


async def _named(
    admin: Admin, options: Options
) -> tuple[dict[str, UserError], list[TopicPartition]]:
    """The partitions that --topic names; and what is wrong with topics that are not there."""
    from ottla.base.ids import TopicPartition
    from ottla.cli.scripts.group_reset import typed_topic

    typed = [typed_topic(text) for text in options.texts("topic")]
    found = [TopicPartition(name, each) for name, numbers in typed for each in numbers or ()]
    described = await admin.topics.describe(*(name for name, numbers in typed if not numbers))
    for topic in described.done.values():
        found += [TopicPartition(topic.name, each.index) for each in topic.partitions]
    return dict(described.errors), found


_DO: Final = {
    "list": _list,
    "describe": _describe,
    "delete": _delete,
    "reset-offsets": _reset,
    "delete-offsets": _delete_offsets,
}
