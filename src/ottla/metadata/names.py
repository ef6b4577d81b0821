"""What a topic may be called."""

from __future__ import annotations

import re

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import TOPIC_NAME_LENGTH_MAX

CLUSTER_METADATA = "__cluster_metadata"

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


def check_topic_name(name: str) -> None:
    """Raises ProtocolError(INVALID_TOPIC_EXCEPTION) for what cannot be a topic's name."""
    reason = _illegal(name)
    if reason is not None:
        raise ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, reason)


def _illegal(name: str) -> str | None:
    if not name:
        return "a topic name has at least one character"
    if name in (".", ".."):
        return (
            f"a topic cannot be called '{name}': that is a folder's name for itself or its parent"
        )
    if len(name) > TOPIC_NAME_LENGTH_MAX:
        return (
            f"a topic name has at most {TOPIC_NAME_LENGTH_MAX} characters, this one has {len(name)}"
        )
    if not _LEGAL.fullmatch(name):
        return (
            f"the name '{name}' has characters that a topic name cannot have: a to z, A to Z, "
            "digits, '.', '_' and '-' are allowed"
        )
    return None


def collision_key(name: str) -> str:
    """Equal for names that metrics cannot tell apart: they write '.' as '_'."""
    return name.replace(".", "_")


def is_topic_name(name: str) -> bool:
    """Whether a topic may be called so."""
    return _illegal(name) is None
