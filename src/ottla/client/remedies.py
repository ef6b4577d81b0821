"""What helps against each error that a node may answer: the one table of all layers."""

from __future__ import annotations

from enum import Enum
from typing import Final

from ottla.base.errors import ErrorCode


class Remedy(Enum):
    """What to do before the same is asked again."""

    NOTHING_WRONG = "nothing wrong"
    GIVE_UP = "give up"
    """The same request will never succeed: tell the user."""
    WAIT = "wait"
    """Ask the same node again after a backoff."""
    REFRESH_METADATA = "refresh the metadata"
    """Somebody else may lead: refresh, wait, ask whom the metadata names."""
    FIND_COORDINATOR = "find the coordinator"
    """Forget the coordinator, wait, look it up."""
    NEW_FETCH_SESSION = "begin a new fetch session"
    NEW_SHARE_SESSION = "begin a new share session"
    REBOOTSTRAP = "begin with the first addresses"
    """Forget all nodes (KIP-1102)."""

    @property
    def retriable(self) -> bool:
        """Whether to ask again at all."""
        return self not in _FINAL


_FINAL: Final = {Remedy.NOTHING_WRONG, Remedy.GIVE_UP}

_REMEDIES: Final = {
    ErrorCode.NONE: Remedy.NOTHING_WRONG,
    ErrorCode.REBOOTSTRAP_REQUIRED: Remedy.REBOOTSTRAP,
    **dict.fromkeys(
        (
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode.LEADER_NOT_AVAILABLE,
            ErrorCode.NOT_LEADER_OR_FOLLOWER,
            ErrorCode.REPLICA_NOT_AVAILABLE,
            ErrorCode.NETWORK_EXCEPTION,
            ErrorCode.NOT_CONTROLLER,
            ErrorCode.KAFKA_STORAGE_ERROR,
            ErrorCode.LISTENER_NOT_FOUND,
            ErrorCode.FENCED_LEADER_EPOCH,
            ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
            ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
            ErrorCode.ELECTION_NOT_NEEDED,
            ErrorCode.UNKNOWN_TOPIC_ID,
            ErrorCode.INCONSISTENT_TOPIC_ID,
            ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
        ),
        Remedy.REFRESH_METADATA,
    ),
    **dict.fromkeys(
        (ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NOT_COORDINATOR), Remedy.FIND_COORDINATOR
    ),
    **dict.fromkeys(
        (ErrorCode.FETCH_SESSION_ID_NOT_FOUND, ErrorCode.INVALID_FETCH_SESSION_EPOCH),
        Remedy.NEW_FETCH_SESSION,
    ),
    **dict.fromkeys(
        (
            ErrorCode.SHARE_SESSION_NOT_FOUND,
            ErrorCode.INVALID_SHARE_SESSION_EPOCH,
            ErrorCode.SHARE_SESSION_LIMIT_REACHED,
        ),
        Remedy.NEW_SHARE_SESSION,
    ),
}


def remedy_of(code: int) -> Remedy:
    """What helps. Codes of later protocols, which nobody here knows, are given up."""
    try:
        known = ErrorCode(code)
    except ValueError:
        return Remedy.GIVE_UP
    found = _REMEDIES.get(known)
    if found is not None:
        return found
    # What remains of the retriable ones passes by itself: a load, a transaction, an isr too small.
    return Remedy.WAIT if known.retriable else Remedy.GIVE_UP


def known_error(code: int) -> ErrorCode:
    """The code by name; UNKNOWN_SERVER_ERROR for one of a later protocol, as in Kafka's clients."""
    try:
        return ErrorCode(code)
    except ValueError:
        return ErrorCode.UNKNOWN_SERVER_ERROR
