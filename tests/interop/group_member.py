"""One member of a group, as a process that can be killed and paused.

It reads, commits what it has read, and tells everything on stdout, a line of JSON each, with the
time of the machine's monotonic clock: all processes on one machine read the same one. Its library
logs on stderr. It leaves in order when its stdin ends.
"""

from __future__ import annotations

import json
import logging
import select
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tests.interop.group_libraries import Library, Position, RefusedError, open_library

TURN_SECONDS = 0.1


class Teller:
    """Writes what a member does. The libraries call it from threads of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def tell(self, did: str, **facts: Any) -> None:
        with self._lock:
            print(json.dumps({"at": time.monotonic(), "did": did, **facts}), flush=True)

    def owns(self, did: str, partitions: Iterable[int], generation: int, member_id: str) -> None:
        """Partitions were assigned, revoked or lost."""
        self.tell(did, partitions=sorted(partitions), generation=generation, member_id=member_id)


def ranges(positions: Iterable[Position]) -> list[tuple[int, int, int]]:
    """Runs of offsets as (partition, first offset, next offset), in the order of reading."""
    found: list[tuple[int, int, int]] = []
    for position in positions:
        partition, offset = position.partition, position.offset
        if found and found[-1][0] == partition and found[-1][2] == offset:
            found[-1] = (partition, found[-1][1], offset + 1)
        else:
            found.append((partition, offset, offset + 1))
    return found


def turn(library: Library, teller: Teller, partitions: int) -> None:
    """Read, and commit what was read."""
    read = library.poll(TURN_SECONDS)
    for position in read:
        # The one producer of a partition writes its n-th number at offset n.
        expected = position.offset * partitions + position.partition
        assert position.value == b"%d" % expected, f"{position} should be {expected}"
    found = ranges(read)
    if not found:
        return
    teller.tell("read", ranges=found)
    offsets = {partition: next_offset for partition, _, next_offset in found}
    commit(library, teller, offsets)


def commit(library: Library, teller: Teller, offsets: Mapping[int, int]) -> None:
    teller.tell("committing", offsets=offsets)
    try:
        library.commit(offsets)
    except RefusedError as refused:
        teller.tell("refused", offsets=offsets, error=str(refused))
    else:
        teller.tell("committed", offsets=offsets)


def main(settings: dict[str, Any]) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    teller = Teller()
    library = open_library(settings, teller.owns)
    try:
        while not select.select([sys.stdin], [], [], 0)[0]:
            turn(library, teller, settings["partitions"])
        library.close()
        teller.tell("closed")
    except Exception as error:
        teller.tell("failed", error=f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
