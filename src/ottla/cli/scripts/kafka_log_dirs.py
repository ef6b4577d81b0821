"""`kafka-log-dirs`: what is in the directories of brokers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from ottla.base.errors import UserError
from ottla.cli.cluster import ask
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import Options, ScriptParser

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.log_dirs import LogDir


def main(arguments: Sequence[str]) -> int:
    """The last line is JSON."""
    parser = ScriptParser("Prints what is in the directories of brokers, as JSON.")
    parser.value("bootstrap-server", argument="server(s) to use", help="REQUIRED: any node.")
    parser.flag("describe", help="REQUIRED: do it.")
    parser.value("topic-list", argument="topics", default="", help="Only these; with commas.")
    parser.value("broker-list", argument="brokers", help="Only these; with commas.")
    parser.value("command-config", argument="file", help="A file with settings of the client.")
    options = parser.parse(arguments)
    options.require("bootstrap-server", "describe")
    ask(cluster_of(options), lambda admin: _describe(admin, options))
    return 0


async def _describe(admin: Admin, options: Options) -> None:
    topics = {topic for topic in options.needed_text("topic-list").split(",") if topic}
    brokers = await _brokers(admin, options.text("broker-list"))
    print("Querying brokers for log directories information")
    told = (await admin.log_dirs.describe(brokers)).all()
    print(f"Received log directory information from brokers {','.join(map(str, brokers))}")
    document = {
        "brokers": [
            {
                "broker": broker,
                "logDirs": [_directory(each, topics) for each in told[broker].values()],
            }
            for broker in brokers
        ],
        "version": 1,
    }
    print(json.dumps(document, separators=(",", ":")))


async def _brokers(admin: Admin, text: str | None) -> list[int]:
    """Raises UserError for those that are not there."""
    known = [each.node.node_id for each in (await admin.cluster.describe()).nodes]
    if not text:
        return sorted(known)
    try:
        wanted = sorted({int(word) for word in text.split(",")})
    except ValueError as error:
        raise UserError(f"--broker-list {text}: it takes ids with commas between them") from error
    unknown = [broker for broker in wanted if broker not in known]
    if unknown:
        raise UserError(
            "ERROR: The given brokers do not exist from --broker-list: "
            f"{','.join(map(str, unknown))}. "
            f"Current existent brokers: {','.join(map(str, sorted(known)))}"
        )
    return wanted


def _directory(found: LogDir, topics: Collection[str]) -> Mapping[str, object]:
    return {
        "partitions": [
            {
                "partition": f"{place.topic}-{place.partition}",
                "size": replica.size_bytes,
                "offsetLag": replica.lag,
                "isFuture": replica.is_future,
            }
            for place, replica in sorted(found.replicas.items())
            if not topics or place.topic in topics
        ],
        "error": None if found.error is None else str(found.error),
        "logDir": found.path,
    }
