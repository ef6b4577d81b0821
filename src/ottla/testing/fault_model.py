"""What a power loss leaves of a file and of a folder: the fault model of all fakes, told once.

A file keeps what was synced. Of the changes since its last sync the first so many happened (sizes
reach the disk in order); of those, the data of any append may be missing, which reads as zeros, and
the last one may be torn. A name is as at the folder's last sync or as at any later time, whatever
becomes of the others; but a rename never loses a file whose name was on the disk: it has the old
name, the new one or both. One whose names were both not synced may have neither.

All possibilities are lists: the first is what was synced, the last is all that was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Final, Generic, NamedTuple, TypeVar

from ottla.base.limits import KIB

SECTOR_BYTES: Final = 512
PAGE_BYTES: Final = 4 * KIB
HEADER_TEAR_BYTES: Final = 30
"""Inside the header of a record batch: behind its length and before its end."""
ZEROS_BEHIND_BYTES: Final = 100
"""A file that was extended for what never came: enough to look like more than one header."""
HOLES_ENUMERATED_MAX: Final = 4
"""Of so many appends every subset may be missing; of more, each one alone and all together."""

Node = TypeVar("Node")


class Change(NamedTuple):
    """Bytes appended at `position`; without `data`, the file is cut or extended to it."""

    position: int
    data: bytes | None


class FileHistory(NamedTuple):
    """What was synced, and everything since."""

    synced: bytes
    changes: tuple[Change, ...] = ()

    @property
    def is_synced(self) -> bool:
        return not self.changes


class FolderHistory(NamedTuple, Generic[Node]):
    """Names as they were synced, and everything since: what each step made of which names."""

    synced: Mapping[str, Node]
    changes: tuple[Mapping[str, Node | None], ...] = ()

    @property
    def is_synced(self) -> bool:
        return not self.changes


# --- files ---


def content_after(history: FileHistory, count: int, missing: Iterable[int] = ()) -> bytes:
    """The file after its first `count` changes, the appends at `missing` being zeros."""
    content = bytearray(history.synced)
    for index, change in enumerate(history.changes[:count]):
        if change.data is None:
            del content[change.position :]
            content += bytes(change.position - len(content))
        else:
            content += bytes(len(change.data)) if index in missing else change.data
    return bytes(content)


def possible_contents(history: FileHistory, torn_at: int | None = None) -> list[bytes]:
    """Everything that may be left of a file; `torn_at` is one more place to tear the last append.

    Torn are only the last changes: of those before, this was possible when they were the last.
    """
    whole = content_after(history, len(history.changes))
    found = dict.fromkeys(_partial_contents(history, whole, torn_at))
    found.pop(whole, None)
    return [*found, whole]


def _partial_contents(history: FileHistory, whole: bytes, torn_at: int | None) -> Iterator[bytes]:
    count = len(history.changes)
    for happened in range(count):
        yield content_after(history, happened)
    if not count:
        return
    last = history.changes[-1]
    if last.data:
        for length in _tears(len(last.data), torn_at):
            torn = whole[: last.position + length]
            yield torn
            yield torn + bytes(len(whole) - len(torn))
    for missing in _holes(history):
        yield content_after(history, count, missing)
    yield whole + bytes(ZEROS_BEHIND_BYTES)


def _tears(size: int, torn_at: int | None) -> Iterator[int]:
    """Where the last append may have been cut."""
    places = (1, HEADER_TEAR_BYTES, SECTOR_BYTES, PAGE_BYTES, size // 2, size - 1)
    yield from sorted({place for place in places if 0 < place < size})
    if torn_at is not None:
        yield torn_at % size


def _holes(history: FileHistory) -> Iterator[tuple[int, ...]]:
    appends = [index for index, change in enumerate(history.changes) if change.data]
    sizes: Iterable[int] = range(1, len(appends) + 1)
    if len(appends) > HOLES_ENUMERATED_MAX:
        sizes = (1, len(appends))
    for size in sizes:
        yield from combinations(appends, size)


# --- folders ---


def names_after(history: FolderHistory[Node], count: int) -> dict[str, Node]:
    """The names after the first `count` changes."""
    names = dict(history.synced)
    for change in history.changes[:count]:
        _apply(names, change)
    return names


def possible_names(history: FolderHistory[Node]) -> list[dict[str, Node]]:
    """Everything that may be left of a folder's names."""
    final = names_after(history, len(history.changes))
    # A file whose name was synced and that nobody unlinked is still there, under some name.
    kept = {id(node) for node in history.synced.values()} & {id(node) for node in final.values()}
    found: dict[tuple[tuple[str, int], ...], dict[str, Node]] = {}
    for names in (*_partial_names(history, final), final):
        present = {id(node) for node in names.values()}
        if kept <= present:
            key = tuple(sorted((name, id(node)) for name, node in names.items()))
            found.setdefault(key, names)
    last = found.pop(tuple(sorted((name, id(node)) for name, node in final.items())))
    return [*found.values(), last]


def _partial_names(
    history: FolderHistory[Node], final: dict[str, Node]
) -> Iterator[dict[str, Node]]:
    for count in range(len(history.changes)):
        yield names_after(history, count)
    changed = sorted({name for change in history.changes for name in change})
    for name in changed:
        yield _with(final, name, history.synced.get(name))
        yield _with(dict(history.synced), name, final.get(name))


def _with(names: dict[str, Node], name: str, node: Node | None) -> dict[str, Node]:
    names = dict(names)
    _apply(names, {name: node})
    return names


def _apply(names: dict[str, Node], change: Mapping[str, Node | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node
