"""The states that a crash may leave, enumerated from what a RecordingDisk has seen.

At every moment: the process is killed (all that was written is there), or the power fails. Then
every file and folder that is not synced has several possible pasts (`fault_model`): each of them is
tried with all the others as new and with all the others as old; then all combinations, as far as a
bound allows, the rest being drawn. A state's id says the moment and the past of each, so that it
can be made again alone: `state_of(moments, "17/kill")`, `state_of(moments, "17/0.2.1")`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Final, NamedTuple

from ottla.base.world import Rng
from ottla.testing.fault_model import FolderHistory, names_after, possible_contents, possible_names
from ottla.testing.memory_disk import Content, FileNode, FolderNode, MemoryDisk, Node, at_rest
from ottla.testing.recording_disk import Moment

KILL: Final = "kill"
COMBINATIONS_MAX: Final = 24
"""Of how many combinations all are tried; of more, so many are drawn."""

Picks = tuple[int, ...]


class CrashState(NamedTuple):
    """What is on the disk when the machine comes back; `id` makes it again."""

    id: str
    moment: Moment
    content: Content

    @property
    def is_power_loss(self) -> bool:
        return not self.id.endswith(f"/{KILL}")

    def fingerprint(self) -> int:
        """Equal for equal disks, within one process."""
        files, folders = self.content
        return hash((tuple(files.items()), tuple(folders)))

    def disk(self) -> MemoryDisk:
        """A fresh disk in this state, all of it synced."""
        return MemoryDisk(content=self.content)


class _Pasts:
    """What a power loss at one moment may leave of each file and folder that is not synced."""

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.folders = {
            node: possible_names(history)
            for node, history in moment.folders.items()
            if not history.is_synced
        }
        self.files = {
            node: possible_contents(history)
            for node, history in moment.files.items()
            if not history.is_synced
        }
        self.counts = [len(names) for names in self.folders.values()]
        self.counts += [len(contents) for contents in self.files.values()]

    def picked(self, picks: Picks) -> CrashState:
        assert len(picks) == len(self.counts), f"{len(self.counts)} files and folders have pasts"
        names = {
            node: pasts[pick]
            for (node, pasts), pick in zip(self.folders.items(), picks, strict=False)
        }
        contents = {
            node: pasts[pick]
            for (node, pasts), pick in zip(
                self.files.items(), picks[len(self.folders) :], strict=True
            )
        }
        return _state(self.moment, ".".join(map(str, picks)) or "-", names, contents)


def _state(
    moment: Moment,
    choice: str,
    names: Mapping[FolderNode, Mapping[str, Node]],
    contents: Mapping[FileNode, bytes],
) -> CrashState:
    def names_of(folder: FolderNode) -> Mapping[str, Node]:
        found = names.get(folder)
        return _newest(moment.folders[folder]) if found is None else found

    def content_of(file: FileNode) -> bytes:
        found = contents.get(file)
        return moment.files[file].synced if found is None else found

    content = at_rest(moment.root, names_of=names_of, content_of=content_of)
    return CrashState(f"{moment.number}/{choice}", moment, content)


def _newest(history: FolderHistory[Node]) -> Mapping[str, Node]:
    return history.synced if history.is_synced else names_after(history, len(history.changes))


def _killed(pasts: _Pasts) -> CrashState:
    whole = pasts.picked(tuple(count - 1 for count in pasts.counts))
    return whole._replace(id=f"{pasts.moment.number}/{KILL}")


def crash_states(moments: Sequence[Moment], rng: Rng) -> Iterator[CrashState]:
    """Every state of every moment; `rng` draws where there are too many combinations."""
    for moment in moments:
        pasts = _Pasts(moment)
        yield _killed(pasts)
        for picks in dict.fromkeys(_picks(pasts.counts, rng)):
            yield pasts.picked(picks)


def state_of(moments: Sequence[Moment], state_id: str) -> CrashState:
    """The state with this id."""
    number, _, choice = state_id.partition("/")
    pasts = _Pasts(moments[int(number)])
    if choice == KILL:
        return _killed(pasts)
    return pasts.picked(tuple(int(pick) for pick in choice.split(".") if pick != "-"))


def _picks(counts: Sequence[int], rng: Rng) -> Iterator[Picks]:
    newest = tuple(count - 1 for count in counts)
    oldest = (0,) * len(counts)
    yield newest
    yield oldest
    for base in (newest, oldest):
        for at, count in enumerate(counts):
            for pick in range(count):
                yield (*base[:at], pick, *base[at + 1 :])
    if prod(counts) <= COMBINATIONS_MAX:
        yield from product(*map(range, counts))
    elif len(counts) > 1:
        for _ in range(COMBINATIONS_MAX):
            yield tuple(rng.below(count) for count in counts)


def flipped(content: Content, path: str, bit: int) -> Content:
    """The same disk, one bit of one file being wrong."""
    data = bytearray(content.files[path])
    data[bit // 8] ^= 1 << bit % 8
    return Content({**content.files, path: bytes(data)}, content.folders)
