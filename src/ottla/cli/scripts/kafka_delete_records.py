"""`kafka-delete-records`: deletes what is before an offset."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.cluster import ask
from ottla.cli.scripts.clusters import cluster_of
from ottla.cli.scripts.command_line import ScriptParser

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin

_VERSION: Final = 1


def main(arguments: Sequence[str]) -> int:
    """0 also where partitions were refused: each of them says so."""
    parser = ScriptParser("Deletes the records of partitions up to an offset.")
    parser.value("bootstrap-server", argument="server(s) to use", help="REQUIRED: any node.")
    parser.value(
        "offset-json-file",
        argument="file",
        help='REQUIRED: {"partitions": [{"topic": "a", "partition": 0, "offset": 5}], '
        '"version": 1}; -1 is the end.',
    )
    parser.value("command-config", argument="file", help="A file with settings of the client.")
    options = parser.parse(arguments)
    options.require("bootstrap-server", "offset-json-file")
    wanted = _read(Path(options.needed_text("offset-json-file")))
    ask(cluster_of(options), lambda admin: _delete(admin, wanted))
    return 0


def _read(path: Path) -> dict[TopicPartition, int]:
    """Raises UserError."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"Unable to read file {path}") from error
    except ValueError as error:
        raise UserError("The input string is not a valid JSON") from error
    version = content.get("version", _VERSION) if isinstance(content, dict) else _VERSION
    if version != _VERSION:
        raise UserError(f"Not supported version field value {version}")
    if not isinstance(content, dict) or "partitions" not in content:
        raise UserError("Missing partitions field")
    if not isinstance(content["partitions"], list):
        raise UserError("The partitions field is no list")
    places = list(_places(content["partitions"]))
    names = [place for place, _ in places]
    twice = sorted({place for place in names if names.count(place) > 1})
    if twice:
        told = ",".join(f"{place.topic}-{place.partition}" for place in twice)
        raise UserError(f"Offset json file contains duplicate topic partitions: {told}")
    return dict(places)


def _places(partitions: Any) -> Iterator[tuple[TopicPartition, int]]:
    for each in partitions:
        try:
            yield TopicPartition(str(each["topic"]), int(each["partition"])), int(each["offset"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"a partition needs topic, partition and offset: {each}") from error


async def _delete(admin: Admin, wanted: dict[TopicPartition, int]) -> None:
    print("Executing records delete operation")
    outcomes = await admin.records.delete(wanted)
    print("Records delete operation completed:")
    for place in wanted:
        name = f"{place.topic}-{place.partition}"
        error = outcomes.error(place)
        if error is None:
            print(f"partition: {name}\tlow_watermark: {outcomes[place]}")
        else:
            print(f"partition: {name}\terror: {error}")
    sys.stdout.flush()
