"""`kafka-get-offsets`: where partitions begin, end, or were at a time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import ProtocolError, UserError
from ottla.base.ids import TopicPartition
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import Options, ScriptParser, UsageError
from ottla.cli.scripts.partition_filter import PartitionFilter, by_names, by_rules

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin

_NAMED: Final = {
    "latest": -1,
    "earliest": -2,
    "max-timestamp": -3,
    "earliest-local": -4,
    "latest-tiered": -5,
    "earliest-pending-upload": -6,
}


def main(arguments: Sequence[str]) -> int:
    """Whatever goes wrong is told as an error that occurred."""
    options = _parser().parse(arguments)
    options.require("bootstrap-server")
    try:
        wanted = _filter(options)
        moment = _moment(options.needed_text("time"))
        internal = not options.has("exclude-internal-topics")
        cluster = cluster_of(options, files=("command-config",))
        ask(cluster, lambda admin: _print(admin, wanted, moment, internal=internal))
    except UsageError:
        raise
    except (UserError, ProtocolError) as error:
        told = reason(error) if isinstance(error, UserError) else error
        print(f"Error occurred: {told}", file=sys.stderr)
        return 1
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser("Prints offsets of partitions, a line each: topic, partition, offset.")
    parser.value(
        "bootstrap-server", argument="HOST1:PORT1,...,HOST3:PORT3", help="REQUIRED: any node."
    )
    parser.value(
        "topic-partitions",
        argument="topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
        help="Topics by an expression, each with a partition or a range whose end is exclusive.",
    )
    parser.value("topic", argument="regex", help="Topics whose names match; all else.")
    parser.value("partitions", argument="partition ids", help="Numbers with commas between them.")
    parser.value(
        "time",
        argument="timestamp / -1 or latest / -2 or earliest / ...",
        default="latest",
        help="A time in milliseconds since 1970, for the first record then or later; or "
        + ", ".join(f"{name} ({number})" for name, number in _NAMED.items()),
    )
    parser.value("command-config", argument="file", help="A file with settings of the client.")
    parser.flag("exclude-internal-topics", help="Leave out the brokers' own topics.")
    return parser


def _filter(options: Options) -> PartitionFilter:
    rules = options.text("topic-partitions")
    if rules is None:
        return by_names(options.text("topic"), options.text("partitions"))
    if options.has("topic") or options.has("partitions"):
        raise UserError("--topic-partitions cannot be used with --topic or --partitions")
    return by_rules(rules)


def _moment(text: str) -> int:
    if text in _NAMED:
        return _NAMED[text]
    number = int(text) if text.removeprefix("-").isdecimal() else None
    if number is None or number < min(_NAMED.values()):
        known = ", ".join(f"{number} or {name}" for name, number in _NAMED.items())
        raise UserError(f"Malformed time argument {text}. It is a number since 1970, or {known}")
    return number


async def _print(admin: Admin, wanted: PartitionFilter, moment: int, *, internal: bool) -> None:
    topics = await admin.topics.list(internal=internal)
    places = [
        TopicPartition(topic.name, index)
        for topic in topics
        for index in range(topic.partitions)
        if wanted(topic.name, index)
    ]
    if not places:
        raise UserError("Could not match any topic-partitions with the specified filters")
    outcomes = await admin.offsets.list(dict.fromkeys(places, moment))
    for place, error in outcomes.errors.items():
        told = f"Skip getting offsets for topic-partition {place} due to error: {error}"
        print(told, file=sys.stderr)
    for place in places:
        found = outcomes.done.get(place)
        if found is not None:
            print(f"{place.topic}:{place.partition}:{found.offset}")
