"""Paths that a person gave to the commands that read data directories."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ottla.base.errors import UserError

if TYPE_CHECKING:
    from ottla.base.world import Disk
    from ottla.log.inspection.directory_check import TopicFacts
    from ottla.log.inspection.partition_check import PartitionQuestion
    from ottla.log.inspection.paths import Located

PATHS = click.argument(
    "paths", nargs=-1, required=True, metavar="PATH…", type=click.Path(path_type=Path, exists=True)
)


class Place(NamedTuple):
    """A path that was given, and what the metadata beside it says of topics."""

    located: Located
    topics: dict[str, TopicFacts]

    def question(self, disk: Disk, folder: str) -> PartitionQuestion:
        """What is known of a partition's folder."""
        from ottla.log.inspection.directory_check import question_for
        from ottla.log.inspection.partition_check import PartitionQuestion

        above, _, name = folder.rpartition("/")
        if self.located.data_directory == above:
            return question_for(disk, above, name, self.topics)
        return PartitionQuestion(folder, closed=False, compacted=_looks_compacted(name))


def _looks_compacted(folder: str) -> bool:
    """A folder that was copied away: only the names of the cluster's own topics tell."""
    return folder.startswith(("__consumer_offsets-", "__transaction_state-", "__share_group_"))


def places(disk: Disk, paths: tuple[Path, ...]) -> Iterator[Place]:
    """Each path, made absolute. Raises UserError for one that cannot be read."""
    from ottla.log.inspection.paths import locate
    from ottla.node.moving_in import topic_facts

    for path in paths:
        try:
            located = locate(disk, str(path.absolute()))
            around = located.data_directory
            yield Place(located, topic_facts(disk, around) if around else {})
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error


def warn_where_in_use(place: Place) -> None:
    """Reading is allowed then, but what is being written looks torn."""
    if is_used(place):
        print(
            f"ottla: {place.located.data_directory} is in use by a running broker: what it is "
            "writing at this moment may look damaged",
            file=sys.stderr,
        )


def is_used(place: Place) -> bool:
    """Whether a broker, ours or Kafka's, holds the data directory."""
    from ottla.quorum.directory_lock import is_in_use

    around = place.located.data_directory
    return around is not None and is_in_use(around)


def format_option(function: Callable[..., None]) -> Callable[..., None]:
    """For people or for programs: lets a command take `output`, "table" or "json"."""

    @wraps(function)
    def command(*, output: str, as_json: bool, **rest: Any) -> None:
        function(output="json" if as_json else output, **rest)

    command = click.option("--json", "as_json", is_flag=True, help="Short for --output json.")(
        command
    )
    return click.option(
        "--output",
        "-o",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="Tables for people, or one JSON object a line for programs.",
    )(command)
