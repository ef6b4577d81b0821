"""`kafka-topics`: creates, changes, lists, describes and deletes topics."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import ErrorCode, UserError
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import Kind, Options, ScriptParser, UsageError
from ottla.cli.scripts.topic_filter import chosen

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin

_ACTIONS: Final = ("alter", "create", "describe", "list", "delete")
_REPORTS: Final = (
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
)
_REPLICAS_MAX: Final = 32_767
_BELONGS_TO: Final = {
    "config": ("alter", "create"),
    "partitions": ("alter", "create"),
    "replication-factor": ("create",),
    "replica-assignment": ("alter", "create"),
    **dict.fromkeys((*_REPORTS, "topics-with-overrides"), ("describe",)),
    "if-exists": ("alter", "delete", "describe"),
    "if-not-exists": ("create",),
    "exclude-internal": ("list", "describe"),
}
"""Options that only some actions take."""


def main(arguments: Sequence[str]) -> int:
    """What goes wrong with the cluster is told on standard output, as Kafka's tool does."""
    options = _parser().parse(arguments)
    _check(options)
    try:
        cluster = cluster_of(options)
        action = next(action for action in _ACTIONS if options.has(action))
        ask(cluster, lambda admin: _DO[action](admin, options))
    except UsageError:
        raise
    except UserError as error:
        print(f"Error while executing topic command : {reason(error)}")
        return 1
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser("Creates, changes, lists, describes and deletes topics.")
    parser.value("bootstrap-server", argument="server to connect to", help="REQUIRED: any node.")
    parser.value(
        "command-config", argument="properties file", help="A file with settings of the client."
    )
    parser.flag("list", help="Print the names of topics.")
    parser.flag("create", help="Create a topic.")
    parser.flag("delete", help="Delete topics and all that is in them.")
    parser.flag("alter", help="Add partitions. (kafka-configs changes what is set of a topic.)")
    parser.flag("describe", help="Print topics with their partitions.")
    parser.value(
        "topic", help="The name of a topic; for all but --create also a regular expression."
    )
    parser.value("topic-id", help="The id of the topic to describe.")
    parser.value(
        "config", argument="name=value", help="With --create: a setting of the topic. May be many."
    )
    parser.value("delete-config", argument="name", help="Does nothing; kafka-configs does.")
    parser.value(
        "partitions",
        kind=Kind.INTEGER,
        argument="# of partitions",
        help="How many there shall be. More of them spread keys anew.",
    )
    parser.value("replication-factor", kind=Kind.INTEGER, help="How many replicas of each.")
    parser.value(
        "replica-assignment",
        argument="broker:broker,broker:broker,...",
        help="The brokers of each partition, in order.",
    )
    _report_options(parser)
    return parser


def _report_options(parser: ScriptParser) -> None:
    parser.flag(
        "under-replicated-partitions", help="Describe those of which a replica is not in sync."
    )
    parser.flag("unavailable-partitions", help="Describe those without a leader that lives.")
    parser.flag(
        "under-min-isr-partitions", help="Describe those that refuse acks=all: too few in sync."
    )
    parser.flag("at-min-isr-partitions", help="Describe those with no replica to lose.")
    parser.flag("topics-with-overrides", help="Describe topics of which something is set.")
    parser.flag("if-exists", help="Do not fail where there is no such topic.")
    parser.flag("if-not-exists", help="Do not fail where there is such a topic.")
    parser.flag("exclude-internal", help="Leave out the brokers' own topics.")
    parser.value(
        "partition-size-limit-per-response",
        kind=Kind.INTEGER,
        argument="partitions",
        help="Taken, and left to the broker.",
    )


def _check(options: Options) -> None:
    """Raises UsageError."""
    if sum(map(options.has, _ACTIONS)) != 1:
        options.refuse(
            "Command must include exactly one action: "
            "--list, --describe, --create, --alter or --delete"
        )
    if options.has("delete-config"):
        print("--delete-config does nothing since Kafka 4.0", file=sys.stderr)
    if not options.has("bootstrap-server"):
        raise UsageError("--bootstrap-server must be specified")
    if options.has("describe") and options.has("if-exists"):
        _check_names(options)
    if not options.has("list") and not options.has("describe"):
        options.require("topic")
    if options.has("alter"):
        if options.has("config"):
            options.refuse(
                'Option combination "[[bootstrap-server], [config]]" can\'t be used with option '
                '"[alter]" (kafka-configs changes what is set of a topic)'
            )
        options.require("partitions")
    for option, actions in _BELONGS_TO.items():
        options.forbid_beside(option, *(other for other in _ACTIONS if other not in actions))
    if options.has("create"):
        options.forbid_beside("replica-assignment", "partitions", "replication-factor")
    for report in _REPORTS:
        options.forbid_beside(report, "topics-with-overrides")


def _check_names(options: Options) -> None:
    if not options.has("topic") and not options.has("topic-id"):
        options.refuse("--topic or --topic-id is required to describe a topic")
    if options.has("topic") and options.has("topic-id"):
        print("--topic-id is taken rather than --topic, unless it is all zeros")


# -- what it does --------------------------------------------------------------------------------


async def _create(admin: Admin, options: Options) -> None:
    from ottla.client.admin.topics import USE_DEFAULT, NewTopic
    from ottla.client.errors import RefusedError

    name = options.needed_text("topic")
    if "." in name or "_" in name:
        print(
            "WARNING: in names of metrics '.' and '_' are the same: topics whose names have both "
            "of them may collide there."
        )
    topic = NewTopic(
        name=name,
        partitions=_count(options, "partitions") or USE_DEFAULT,
        replication_factor=_count(options, "replication-factor") or USE_DEFAULT,
        assignments=dict(enumerate(_assignment(options))),
        configs=_configs(options),
    )
    outcomes = await admin.topics.create(topic)
    error = outcomes.error(name)
    if error is None:
        print(f"Created topic {name}.")
        return
    is_there = isinstance(error, RefusedError) and error.code == ErrorCode.TOPIC_ALREADY_EXISTS
    if not (is_there and options.has("if-not-exists")):
        raise error


def _count(options: Options, name: str) -> int | None:
    count = options.integer(name)
    if count is None:
        return None
    if name == "replication-factor" and not 1 <= count <= _REPLICAS_MAX:
        raise UserError(f"The replication factor must be between 1 and {_REPLICAS_MAX} inclusive")
    if count < 1:
        raise UserError(f"The {name} must be greater than 0")
    return count


def _configs(options: Options) -> Mapping[str, str]:
    pairs = [re.split(r"\s*=\s*", text) for text in options.texts("config")]
    if any(len(pair) != 2 or not pair[1] for pair in pairs):
        raise UserError('Invalid topic config: it takes the form "key=val"')
    return {key.strip(): value.strip() for key, value in pairs}


def _assignment(options: Options) -> list[list[int]]:
    """The brokers of each partition. Raises UserError."""
    text = options.text("replica-assignment")
    if not text:
        return []
    try:
        placed = [[int(broker) for broker in part.split(":")] for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"--replica-assignment {text}: {error}") from error
    for partition, brokers in enumerate(placed):
        twice = sorted({broker for broker in brokers if brokers.count(broker) > 1})
        if twice:
            told = ",".join(map(str, twice))
            raise UserError(f"Partition replica lists may not contain duplicate entries: {told}")
        if len(brokers) != len(placed[0]):
            raise UserError(f"Partition {partition} has different replication factor: {brokers}")
    return placed


async def _alter(admin: Admin, options: Options) -> None:
    placed = _assignment(options)
    names = await _wanted(admin, options)
    added = {}
    if placed:
        described = (await admin.topics.describe(*names)).all()
        added = {name: placed[len(described[name].partitions) :] for name in names}
    wanted = options.needed_integer("partitions")
    outcomes = await admin.topics.add_partitions(dict.fromkeys(names, wanted), assignments=added)
    outcomes.all()


async def _list(admin: Admin, options: Options) -> None:
    print("\n".join(await _found(admin, options)))


async def _describe(admin: Admin, options: Options) -> None:
    from ottla.cli.scripts.topic_report import report

    await report(admin, options, await _described_names(admin, options))


async def _described_names(admin: Admin, options: Options) -> list[str]:
    """By id where one is given. Raises UserError for one that is not there."""
    from ottla.base.ids import ZERO_UUID, parse_uuid

    text = options.text("topic-id")
    if text is None:
        return await _wanted(admin, options)
    try:
        topic_id = parse_uuid(text)
    except ValueError as error:
        raise UserError(f"--topic-id {text}: {error}") from error
    if topic_id == ZERO_UUID:
        return await _wanted(admin, options)
    internal = not options.has("exclude-internal")
    topics = await admin.topics.list(internal=internal)
    names = [topic.name for topic in topics if topic.topic_id == topic_id]
    if not names and not options.has("if-exists"):
        raise UserError(f"TopicId '{text}' does not exist as expected")
    return names


async def _delete(admin: Admin, options: Options) -> None:
    (await admin.topics.delete(*await _wanted(admin, options))).all()


async def _wanted(admin: Admin, options: Options) -> list[str]:
    """The topics that match. Raises UserError where there are none, and there must be some."""
    names = await _found(admin, options)
    if options.text("topic") and not names and not options.has("if-exists"):
        raise UserError(f"Topic '{options.text('topic')}' does not exist as expected")
    return names


async def _found(admin: Admin, options: Options) -> list[str]:
    internal = not options.has("exclude-internal")
    topics = await admin.topics.list(internal=internal)
    return chosen((topic.name for topic in topics), options.text("topic"), internal=internal)


_DO: Final = {
    "alter": _alter,
    "create": _create,
    "delete": _delete,
    "describe": _describe,
    "list": _list,
}
