"""Whole stories of groups, told as transcripts in `tests/scripts/groups`.

Commands stand above a line of dashes, what came of them below it. To write the lower halves anew,
run with OTTLA_ACCEPT_TRANSCRIPTS=1, and read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.base.effects import Ticket
from ottla.base.errors import ErrorCode
from ottla.wire.messages.join_group import JoinGroupResponse
from ottla.wire.messages.sync_group import SyncGroupResponse
from tests.support.group_bench import GroupBench, reads
from tests.support.transcripts import told

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts" / "groups").glob("*.txt"))
ACCEPTS = "OTTLA_ACCEPT_TRANSCRIPTS" in os.environ


class Story:
    """Runs commands against a bench. Members have names, whatever ids they are given."""

    def __init__(self) -> None:
        self.bench = GroupBench()
        self.ids: dict[str, str] = {}
        self.old_ids: dict[str, str] = {}
        self.generations: dict[str, int] = {}
        self._asked: dict[Ticket, tuple[str, str]] = {}

    def run(self, line: str) -> Iterator[str]:
        """What one command has to tell; the answers that came with it."""
        verb, *words = line.split()
        yield from getattr(self, "do_" + verb.replace("-", "_"))(*words) or ()
        yield from self._news()

    def _news(self) -> Iterator[str]:
        for ticket in [each for each in self._asked if each in self.bench.answers]:
            name, what = self._asked.pop(ticket)
            answer = self.bench.answers[ticket]
            told = self._joined(name, answer) if what == "join" else self._synced(answer)
            yield f"{name}  {what}: {told}"

    def _joined(self, name: str, answer: object) -> str:
        if isinstance(answer, ErrorCode):
            return answer.name
        assert isinstance(answer, JoinGroupResponse)
        if answer.member_id and answer.member_id != self.ids.get(name):
            self.old_ids[name] = self.ids.get(name, "")
            self.ids[name] = answer.member_id
        if answer.error_code:
            return ErrorCode(answer.error_code).name
        self.generations[name] = answer.generation_id
        told = f"generation={answer.generation_id} leader={self._name(answer.leader)}"
        if answer.members:
            told += " members=" + ",".join(self._name(each.member_id) for each in answer.members)
        return told + (" skip" if answer.skip_assignment else "")

    def _synced(self, answer: object) -> str:
        if isinstance(answer, ErrorCode):
            return answer.name
        assert isinstance(answer, SyncGroupResponse)
        if answer.error_code:
            return ErrorCode(answer.error_code).name
        return answer.assignment.decode() or "nothing"

    def _name(self, member_id: str) -> str:
        return member_id.rpartition("-")[0] or member_id

    # -- commands ----------------------------------------------------------------------------------

    def do_config(self, *pairs: str) -> None:
        config = {key: int(value) for key, value in (pair.split("=") for pair in pairs)}
        self.bench = GroupBench(**config)  # type: ignore[arg-type]  # settings of whole numbers

    def do_stable(self, *names: str) -> None:
        """A group of these members, each with a partition; static ones as name=instance."""
        tickets = {name: self._join(name) for name in names}
        self.bench.advance(0)
        for name, ticket in tickets.items():
            self._joined(name.partition("=")[0], self.bench.answers[ticket])
        plan = [f"{name.partition('=')[0]}=t-{number}" for number, name in enumerate(names)]
        for name in names:
            self._sync(name, *plan)

    def _join(self, name: str, **more: str) -> Ticket:
        name, _, instance = name.partition("=")
        return self.bench.join(client=name, instance=instance or None, **more)  # type: ignore[arg-type]  # words of the script

    def do_join(self, name: str, *words: str) -> None:
        """With `new` as somebody who has no id yet, as after a restart.

        `owns` are partitions that it still holds (KIP-429), `reason` is for the broker.
        """
        name, _, instance = name.partition("=")
        said = dict(word.split("=") for word in words if "=" in word)
        ticket = self.bench.join(
            "" if "new" in words else self.ids.get(name, ""),
            client=name,
            instance=instance or None,
            id_first=not instance,
            protocols=[("range", reads("t", owns=said.get("owns", "")))],
            reason=said.get("reason"),
        )
        self._asked[ticket] = name, "join"

    def _sync(self, name: str, *plan: str) -> Ticket:
        name, _, instance = name.partition("=")
        assignments = {
            self.ids[member]: part.encode() for member, part in (pair.split("=") for pair in plan)
        }
        return self.bench.sync(
            self.ids[name], self.generations[name], assignments, instance=instance or None
        )

    def do_sync(self, name: str, *plan: str) -> None:
        self._asked[self._sync(name, *plan)] = name.partition("=")[0], "sync"

    def do_heartbeat(self, name: str) -> Iterator[str]:
        name, _, instance = name.partition("=")
        error = self.bench.heartbeat(self.ids[name], self.generations[name], instance or None)
        yield f"{name}  heartbeat: {error.name}"

    def do_old_heartbeat(self, name: str) -> Iterator[str]:
        """From the process whose place was taken."""
        name, _, instance = name.partition("=")
        error = self.bench.heartbeat(self.old_ids[name], self.generations[name], instance or None)
        yield f"{name}  old heartbeat: {error.name}"

    def do_leave(self, name: str) -> Iterator[str]:
        yield f"{name}  leave: {self.bench.leave(self.ids[name])[0].name}"

    def do_commit(self, name: str, offset: str) -> Iterator[str]:
        error = self.bench.commit(int(offset), self.ids[name], self.generations[name])
        yield f"{name}  commit {offset}: {error.name}"

    def do_advance(self, seconds: str) -> None:
        self.bench.advance(int(seconds.removesuffix("s")) * 1000)

    def do_reload(self) -> None:
        self.bench.reload()

    def do_state(self) -> Iterator[str]:
        group = self.bench.group
        members = ",".join(map(self._name, group.members)) or "nobody"
        yield f"group  {group.state_name} generation={group.generation} members={members}"

    def do_journal(self) -> Iterator[str]:
        for entry in self.bench.group.journal:
            causes = "; ".join(
                f"{self._name(cause.member_id)} {cause.trigger.value}"
                + (f" ({cause.detail})" if cause.detail else "")
                for cause in entry.causes
            )
            yield f"journal  {entry.from_generation} -> {entry.to_generation}: {causes}"


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_story_is_told_as_written(script: Path) -> None:
    written = script.read_text()
    happens = told(written, Story().run)
    if ACCEPTS:
        script.write_text(happens)
    else:
        assert happens == written


def test_there_are_stories() -> None:
    assert len(SCRIPTS) >= 5
