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
        raise ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: {reason}")


def _illegal(name: str) -> str | None:
    if not name:
        return "the empty string is not allowed"
    if name in (".", ".."):
        return f"'{name}' is not allowed"
    if len(name) > TOPIC_NAME_LENGTH_MAX:
        return (
            f"the length of '{name}' is longer than the max allowed length {TOPIC_NAME_LENGTH_MAX}"
        )
    if not _LEGAL.fullmatch(name):
        return (
            f"'{name}' contains one or more characters other than ASCII alphanumerics, "
            "'.', '_' and '-'"
        )
    return None


def collision_key(name: str) -> str:
    """Equal for names that metrics cannot tell apart: they write '.' as '_'."""
    return name.replace(".", "_")


def is_topic_name(name: str) -> bool:
    """Whether a topic may be called so."""
    return _illegal(name) is None
