"""`kafka-leader-election`: lets partitions elect their leaders."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import Kind, Options, ScriptParser, UsageError
from ottla.cli.scripts.json_files import read_json

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.outcomes import Outcomes

_SCOPES: Final = ("topic", "all-topic-partitions", "path-to-json-file")
_ELECTIONS: Final = ("preferred", "unclean")


class _Partition(Struct):
    topic: str
    partition: int


class _Wanted(Struct):
    partitions: list[_Partition]


def main(arguments: Sequence[str]) -> int:
    """Raises UserError."""
    options = _parser().parse(arguments)
    _check(options)
    partitions = _partitions(options)
    election = options.needed_text("election-type").lower()
    cluster = cluster_of(options, files=("command-config", "admin.config"))
    elected = ask(cluster, lambda admin: _elect(admin, partitions, election))
    return _tell(elected, election.upper())


def _parser() -> ScriptParser:
    parser = ScriptParser("Lets partitions elect their leaders.")
    parser.value("bootstrap-server", argument="host:port", help="REQUIRED: any node.")
    for name in ("command-config", "admin.config"):
        parser.value(name, argument="config file", help="A file with settings of the client.")
    parser.value(
        "election-type",
        argument="[PREFERRED,UNCLEAN]",
        help="REQUIRED: of the replica that comes first, or of any where none in sync lives: then "
        "records are lost.",
    )
    parser.value("topic", argument="topic name", help="The topic of --partition.")
    parser.value(
        "partition", kind=Kind.INTEGER, argument="partition id", help="The partition of --topic."
    )
    parser.flag("all-topic-partitions", help="All partitions that need it.")
    parser.value(
        "path-to-json-file",
        argument="Path to JSON file",
        help='Partitions as {"partitions": [{"topic": "t", "partition": 0}]}.',
    )
    return parser


def _check(options: Options) -> None:
    """Raises UsageError."""
    missing = [name for name in ("bootstrap-server", "election-type") if not options.has(name)]
    if missing:
        raise UsageError(f"Missing required option(s): {', '.join(missing)}")
    if options.needed_text("election-type").lower() not in _ELECTIONS:
        raise UsageError(f"--election-type takes one of {', '.join(_ELECTIONS)}")
    if sum(map(options.has, _SCOPES)) != 1:
        raise UsageError(
            f"One and only one of the following options is required: {', '.join(_SCOPES)}"
        )
    if options.has("topic") != options.has("partition"):
        raise UsageError("--topic and --partition are given together")


def _partitions(options: Options) -> list[TopicPartition] | None:
    """None for all. Raises UserError."""
    if options.has("all-topic-partitions"):
        return None
    if options.has("topic"):
        return [TopicPartition(options.needed_text("topic"), options.needed_integer("partition"))]
    wanted = read_json(options.needed_text("path-to-json-file"), _Wanted).partitions
    found = [TopicPartition(each.topic, each.partition) for each in wanted]
    if not found:
        raise UserError("Replica election data is empty")
    twice = sorted({str(each) for each in found if found.count(each) > 1})
    if twice:
        raise UserError(f"Replica election data contains duplicate partitions: {', '.join(twice)}")
    return found


async def _elect(
    admin: Admin, partitions: Sequence[TopicPartition] | None, election: str
) -> Outcomes[TopicPartition, bool]:
    from ottla.client.admin.partitions import Election

    return await admin.partitions.elect_leaders(partitions, election=Election[election.upper()])


def _tell(elected: Outcomes[TopicPartition, bool], election: str) -> int:
    changed = ", ".join(str(each) for each, is_new in elected.done.items() if is_new)
    as_before = ", ".join(str(each) for each, is_new in elected.done.items() if not is_new)
    if changed:
        print(f"Successfully completed leader election ({election}) for partitions {changed}")
    if as_before:
        print(f"Valid replica already elected for partitions {as_before}")
    for partition, error in elected.errors.items():
        print(
            f"Error completing leader election ({election}) for partition: {partition}: "
            f"{reason(error)}"
        )
    if elected.errors:
        print(f"{len(elected.errors)} replica(s) could not be elected", file=sys.stderr)
    return 1 if elected.errors else 0
