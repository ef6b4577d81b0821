"""Whole stories of transactions, told as transcripts in `tests/scripts/transactions`.

Commands stand above a line of dashes, what came of them below it. To write the lower halves anew,
run with OTTLA_ACCEPT_TRANSCRIPTS=1, and read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.transactions.shard import Answer
from ottla.transactions.transaction import TransactionEnd
from tests.unit.transactions.support import Coordinator, Producer

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts" / "transactions").glob("*.txt"))
ACCEPTS = "OTTLA_ACCEPT_TRANSCRIPTS" in os.environ
RULE = "----"


class Story:
    """Runs commands against one shard. Producers have names, and the identity they were given."""

    def __init__(self) -> None:
        self.coordinator = Coordinator()
        self.producers: dict[str, Producer] = {}
        self.ends: list[TransactionEnd] = []

    def run(self, line: str) -> Iterator[str]:
        """What one command has to tell."""
        verb, *words = line.split()
        yield from getattr(self, "do_" + verb.replace("-", "_"))(*words) or ()

    # -- commands --------------------------------------------------------------------------------

    def do_version(self, version: str) -> None:
        self.coordinator.version = int(version)

    def do_init(self, name: str, *words: str) -> Iterator[str]:
        """With `resume`, going on after an error."""
        answer = self.coordinator.init(self.producers[name] if "resume" in words else (-1, -1))
        yield from self._told(name, "init", answer)

    def do_add(self, name: str, *indexes: str) -> Iterator[str]:
        error = self.coordinator.add(self.producers[name], *map(int, indexes))
        yield f"{name}  add: {error.name}"

    def do_verify(self, name: str, *indexes: str) -> Iterator[str]:
        for index, error in sorted(
            self.coordinator.verify(self.producers[name], *map(int, indexes)).items()
        ):
            yield f"{name}  verify {index}: {error.name}"

    def do_commit(self, name: str) -> Iterator[str]:
        yield from self._ended(name, commit=True)

    def do_abort(self, name: str) -> Iterator[str]:
        yield from self._ended(name, commit=False)

    def _ended(self, name: str, *, commit: bool) -> Iterator[str]:
        answer = self.coordinator.end(self.producers[name], commit=commit)
        yield from self._told(name, "commit" if commit else "abort", answer)

    def do_advance(self, seconds: str) -> None:
        self.coordinator.now_ms += int(seconds) * 1000

    def do_scan(self) -> Iterator[str]:
        for ended in self.coordinator.abort_timed_out():
            yield self._note(ended)

    def do_complete(self) -> Iterator[str]:
        for ended in self.ends:
            yield f"complete: {self.coordinator.complete(ended).error.name}"
        self.ends.clear()

    def do_crash(self) -> Iterator[str]:
        self.coordinator.reload()
        self.ends.clear()
        for ended in self.coordinator.unfinished():
            yield self._note(ended)

    def do_state(self) -> Iterator[str]:
        found = self.coordinator.transaction
        indexes = sorted(where.partition for where in found.partitions)
        yield f"{found.state.label} {found.producer_id}/{found.epoch} partitions={indexes}"

    # -- telling ---------------------------------------------------------------------------------

    def _told(self, name: str, what: str, answer: Answer) -> Iterator[str]:
        told = f"{name}  {what}: {answer.error.name}"
        if not answer.error:
            self.producers[name] = answer.producer_id, answer.producer_epoch
            told += f" {answer.producer_id}/{answer.producer_epoch}"
        yield told
        if answer.end is not None:
            yield self._note(answer.end)

    def _note(self, ended: TransactionEnd) -> str:
        self.ends.append(ended)
        kind = "COMMIT" if ended.is_committed else "ABORT"
        indexes = sorted(where.partition for where in ended.partitions)
        return f"markers {kind} {ended.producer_id}/{ended.producer_epoch} to {indexes}"


def blocks(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Commands, and what is expected of them."""
    for block in text.strip().split("\n\n"):
        above, _, below = block.partition(f"\n{RULE}\n")
        yield above.removesuffix(f"\n{RULE}").splitlines(), below.splitlines()


def retold(text: str) -> str:
    """The transcript as it comes out now; lines with # are comments."""
    story, out = Story(), []
    for commands, _ in blocks(text):
        told = [
            line
            for command in commands
            if not command.startswith("#")
            for line in story.run(command)
        ]
        out.append("\n".join([*commands, RULE, *told]))
    return "\n\n".join(out) + "\n"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_story_ends_as_it_is_told(script: Path) -> None:
    text = script.read_text()
    found = retold(text)
    if ACCEPTS:
        script.write_text(found)
    assert found == text


def test_there_are_stories() -> None:
    assert SCRIPTS
