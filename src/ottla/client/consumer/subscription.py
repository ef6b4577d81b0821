"""What a program wants to read: topics by name, or all whose names an expression matches."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from ottla.base.errors import UserError


class Subscription(Struct, frozen=True):
    """Names, or a pattern that is matched here, or an expression that brokers match (KIP-848)."""

    names: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    expression: str | None = None

    def chooses(self, topic: str) -> bool:
        """Whether a topic is wanted, as far as it is decided here: the whole name must match."""
        if self.pattern is not None:
            return self.pattern.fullmatch(topic) is not None
        return topic in self.names


def subscription_of(
    topics: Iterable[str] | None,
    pattern: str | re.Pattern[str] | None,
    *,
    brokers_match: bool,
) -> Subscription:
    """By exactly one of the two. With `brokers_match`, an expression given as text is theirs
    (RE2's syntax); a compiled pattern is matched here in any case.

    Raises UserError for both, none, no topic at all, and what is no expression.
    """
    if (topics is None) == (pattern is None):
        raise UserError("subscribe to topics, or to a pattern")
    if topics is not None:
        if isinstance(topics, str):
            raise UserError(f"topics are a list of names, not the text {topics!r}")
        return _by_names(frozenset(topics))
    if isinstance(pattern, str) and brokers_match:
        return Subscription(expression=pattern)
    try:
        return Subscription(pattern=re.compile(pattern or ""))
    except re.error as error:
        raise UserError(f"{pattern!r} is no regular expression: {error}") from None


def _by_names(names: frozenset[str]) -> Subscription:
    if not names or "" in names:
        raise UserError("subscribe names at least one topic; `unsubscribe` ends it")
    return Subscription(names=names)
