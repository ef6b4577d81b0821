"""Whole stories of consumer groups, told as transcripts in `tests/scripts/consumer_groups`.

To write the lower halves anew, run with OTTLA_ACCEPT_TRANSCRIPTS=1, and read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ottla.base.errors import ErrorCode
from ottla.groups.topics_view import TopicPartition
from tests.support.consumer_bench import Client, ConsumerBench, Response
from tests.support.transcripts import told

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts" / "consumer_groups").glob("*.txt"))
ACCEPTS = "OTTLA_ACCEPT_TRANSCRIPTS" in os.environ


class Story:
    """Members by name; every heartbeat tells its epoch, and what the member reads after it."""

    def __init__(self) -> None:
        self.bench = ConsumerBench({"t": 6})
        self.clients: dict[str, Client] = {}

    def run(self, line: str) -> Iterator[str]:
        verb, *words = line.split()
        yield from getattr(self, "do_" + verb.replace("-", "_"))(*words) or ()

    def do_topics(self, *counts: str) -> None:
        pairs = (word.split("=") for word in counts)
        self.bench.set_topics({name: int(count) for name, count in pairs})

    def do_join(self, name: str, *words: str) -> Iterator[str]:
        """With topics, and `instance=`, `regex=`, `assignor=`."""
        said = dict(word.split("=", 1) for word in words if "=" in word)
        topics = [word for word in words if "=" not in word]
        self.clients[name] = Client(self.bench, name, *topics, **said)
        yield from self.do_beat(name)

    def do_beat(self, *names: str) -> Iterator[str]:
        for name in names:
            yield self._said(name, self.clients[name].beat())

    def do_lose(self, name: str) -> Iterator[str]:
        """A heartbeat whose answer does not arrive."""
        response = self.clients[name].beat(loses_answer=True)
        yield f"{name}  never hears: epoch={response.member_epoch}"

    def do_slow(self, name: str) -> None:
        """From now on it keeps what it is told to give back."""
        self.clients[name].revokes = False

    def do_quick(self, name: str) -> None:
        self.clients[name].revokes = True

    def do_leave(self, name: str, epoch: str = "-1") -> Iterator[str]:
        yield self._said(name, self.clients[name].leave(int(epoch)))

    def do_advance(self, seconds: str) -> None:
        self.bench.advance(int(seconds.removesuffix("s")) * 1000)

    def do_reload(self) -> None:
        self.bench.reload()

    def do_group(self) -> Iterator[str]:
        group = self.bench.consumers()
        yield f"group  {group.state_name} epoch={group.epoch} target={group.target_epoch}"
        for member in sorted(group.members.values(), key=lambda member: member.member_id):
            yield (
                f"group  {member.member_id}: epoch={member.epoch} {member.state.name}"
                f" has={short(member.assigned)} gives={short(member.revoking)}"
            )

    def _said(self, name: str, response: Response) -> str:
        if response.error_code:
            return f"{name}  {ErrorCode(response.error_code).name}"
        return f"{name}  epoch={response.member_epoch} reads={short(self.clients[name].holds)}"


def short(partitions: Iterable[TopicPartition]) -> str:
    """As t0,t1,u0."""
    return ",".join(
        f"{topic.rstrip(b'.').decode()}{index}" for topic, index in sorted(partitions)
    ) or "nothing"  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_story_is_told_as_written(script: Path) -> None:
    written = script.read_text()
    happens = told(written, Story().run)
    if ACCEPTS:
        script.write_text(happens)
    else:
        assert happens == written


def test_there_are_stories() -> None:
    assert len(SCRIPTS) >= 7
