"""The `quorum-state` file: the last election, as Kafka writes it.

Version 0 names the voters, version 1 leaves them to the log (KIP-853).
"""

from __future__ import annotations

import json

from ottla.base.errors import UserError
from ottla.base.ids import ZERO_UUID, format_uuid
from ottla.base.world import Disk, replace_file
from ottla.quorum.contract import Leadership

FILE_NAME = "quorum-state"


def read_quorum_state(directory: str, disk: Disk) -> Leadership | None:
    """The last election; None where there was none. Raises OSError and UserError."""
    path = f"{directory}/{FILE_NAME}"
    if not disk.exists(path):
        return None
    try:
        found = json.loads(disk.read_file(path))
        return Leadership(int(found["leaderId"]), int(found["leaderEpoch"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: restore it, or delete it to elect anew") from error


def read_fixed_voters(directory: str, disk: Disk) -> frozenset[int]:
    """The voters that the file names; none where it names none. Raises OSError and UserError."""
    path = f"{directory}/{FILE_NAME}"
    if not disk.exists(path):
        return frozenset()
    try:
        found = json.loads(disk.read_file(path))
        return frozenset(int(voter["voterId"]) for voter in found.get("currentVoters") or [])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged: restore it, or delete it to elect anew") from error


def write_quorum_state(
    directory: str, leadership: Leadership, disk: Disk, *, voters_in_log: bool = False
) -> None:
    """Write durably. Raises OSError."""
    state: dict[str, object]
    if voters_in_log:
        state = {
            "leaderId": leadership.node_id,
            "leaderEpoch": leadership.epoch,
            "votedId": -1,
            "votedDirectoryId": format_uuid(ZERO_UUID),
            "data_version": 1,
        }
    else:
        state = {
            "clusterId": "",
            "leaderId": leadership.node_id,
            "leaderEpoch": leadership.epoch,
            "votedId": -1,
            "appliedOffset": 0,
            "currentVoters": [{"voterId": leadership.node_id}],
            "data_version": 0,
        }
    content = json.dumps(state, separators=(",", ":")).encode()
    replace_file(disk, f"{directory}/{FILE_NAME}", content)
