"""Which topics a subscribed expression means, in time linear in their names.

The expression becomes an automaton over the characters of topic names, whose states are made when
a name first leads to them. Nothing ever tries again, so no expression can make the broker hang; one
whose states would be too many is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from ottla.base.errors import ProtocolError
from ottla.base.limits import (
    TOPIC_PATTERN_NODES_MAX,
    TOPIC_PATTERN_STEPS_MAX,
    TOPIC_PATTERN_STOPS_MAX,
    TOPIC_PATTERNS_COMPILED_MAX,
)
from ottla.groups.topic_pattern_syntax import (
    WORD,
    Choice,
    Edge,
    Node,
    Repeat,
    Sequence,
    invalid_expression,
    parse_pattern,
)
from ottla.groups.topics_view import TopicsView

_ACCEPT: Final = 0
_END: Final = ""
"""What follows the last character."""


class _Stop:
    """All positions that the automaton may be in after the same beginning."""

    __slots__ = ("accepts", "after", "following", "positions")

    def __init__(self, positions: frozenset[int], after: str) -> None:
        """`after` is a character like the last one: what matters of it at an edge."""
        self.positions = positions
        self.after = after
        self.following: dict[str, _Stop] = {}
        self.accepts: bool | None = None


class TopicPattern:
    """One expression; `matches` takes whole names. Raises ProtocolError when it cannot be used."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._chars: list[frozenset[str]] = [frozenset()]
        self._edges: list[Edge | None] = [None]
        self._next: list[tuple[int, ...]] = [()]
        self._has_edges = False
        entry = self._build(parse_pattern(text), _ACCEPT)
        self._stops: dict[tuple[frozenset[int], str], _Stop] = {}
        self._start = _Stop(frozenset((entry,)), _END)
        self._steps = 0
        self._resolved: tuple[TopicsView, frozenset[str] | ProtocolError] | None = None

    def resolve(self, view: TopicsView) -> frozenset[str]:
        """The names of all topics that match. Raises ProtocolError when that is too costly.

        Asked for the same view again it costs nothing, even where it is refused.
        """
        if self._resolved is None or self._resolved[0] is not view:
            self._resolved = view, self._looked_through(view)
        found = self._resolved[1]
        if isinstance(found, ProtocolError):
            raise ProtocolError(found.code, found.message)
        return found

    def _looked_through(self, view: TopicsView) -> frozenset[str] | ProtocolError:
        try:
            return self.matching(view.by_name)
        except ProtocolError as refused:
            return refused

    def matching(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the names that match. Raises ProtocolError when that is too costly."""
        self._steps = 0
        return frozenset(name for name in names if self._matches(name))

    def _matches(self, name: str) -> bool:
        stop = self._start
        for char in name:
            following = stop.following.get(char)
            stop = self._go(stop, char) if following is None else following
            if not stop.positions:
                return False
        if stop.accepts is None:
            stop.accepts = _ACCEPT in self._reach(stop, _END)
        return stop.accepts

    # -- going -----------------------------------------------------------------------------------

    def _go(self, stop: _Stop, char: str) -> _Stop:
        positions = frozenset(
            self._next[position][0]
            for position in self._reach(stop, char)
            if char in self._chars[position]
        )
        kind = ("a" if char in WORD else "-") if self._has_edges else "-"
        following = self._stops.get((positions, kind))
        if following is None:
            if len(self._stops) >= TOPIC_PATTERN_STOPS_MAX:
                self._stops.clear()
                self._start.following.clear()
            following = self._stops[positions, kind] = _Stop(positions, kind)
        stop.following[char] = following
        return following

    def _reach(self, stop: _Stop, char: str) -> set[int]:
        """All positions that lie before `char` without taking anything."""
        reached = set(stop.positions)
        waiting = list(reached)
        while waiting:
            position = waiting.pop()
            if self._chars[position] or not self._is_open(self._edges[position], stop.after, char):
                continue
            for further in self._next[position]:
                if further not in reached:
                    reached.add(further)
                    waiting.append(further)
        self._steps += len(reached)
        if self._steps > TOPIC_PATTERN_STEPS_MAX:
            raise invalid_expression(self.text, "is too costly for this cluster's topics")
        return reached

    @staticmethod
    def _is_open(edge: Edge | None, before: str, behind: str) -> bool:
        if edge is None:
            return True
        if edge is Edge.BEGIN:
            return before == _END
        if edge is Edge.END:
            return behind == _END
        return ((before in WORD) != (behind in WORD)) == (edge is Edge.WORD)

    # -- building, from the end to the beginning -------------------------------------------------

    def _add(self, chars: frozenset[str], edge: Edge | None, following: tuple[int, ...]) -> int:
        if len(self._next) >= TOPIC_PATTERN_NODES_MAX:
            raise invalid_expression(
                self.text[:50], f"takes more than {TOPIC_PATTERN_NODES_MAX} steps to write out"
            )
        self._chars.append(chars)
        self._edges.append(edge)
        self._next.append(following)
        return len(self._next) - 1

    def _build(self, node: Node, following: int) -> int:
        """The position from which `node` and then `following` is gone through."""
        if isinstance(node, frozenset):
            return self._add(node, None, (following,) if node else ())
        if isinstance(node, Edge):
            self._has_edges = True
            return self._add(frozenset(), node, (following,))
        if isinstance(node, Sequence):
            for part in reversed(node.parts):
                following = self._build(part, following)
            return following
        if isinstance(node, Choice):
            options = tuple(self._build(option, following) for option in node.options)
            return self._add(frozenset(), None, options)
        return self._build_repeat(node, following)

    def _build_repeat(self, repeat: Repeat, following: int) -> int:
        entry = following
        if repeat.most is None:
            entry = self._add(frozenset(), None, ())
            self._next[entry] = (self._build(repeat.node, entry), following)
        else:
            for _ in range(repeat.most - repeat.least):
                entry = self._add(frozenset(), None, (self._build(repeat.node, entry), following))
        for _ in range(repeat.least):
            before, entry = entry, self._build(repeat.node, entry)
            if entry == before:
                break  # nothing, however often: no node tells that this goes on for ever
        return entry


@lru_cache(maxsize=TOPIC_PATTERNS_COMPILED_MAX)
def topic_pattern(text: str) -> TopicPattern:
    """The pattern of an expression; groups with the same one share it. Raises ProtocolError."""
    return TopicPattern(text)
