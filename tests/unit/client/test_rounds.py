"""One request for all who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ottla.client.errors import ClusterClosedError, NodeUnreachableError
from ottla.client.rounds import Rounds
from tests.support.stepped_loop import SteppedClock, SteppedLoop


@pytest.fixture
def loop() -> Iterator[SteppedLoop]:
    loop = SteppedLoop(SteppedClock())
    yield loop
    loop.settle()
    assert not asyncio.all_tasks(loop)
    loop.close()


class Asked:
    """Rounds whose answers a test gives: each is what was wanted, in order."""

    def __init__(self) -> None:
        self.wanted: list[set[str]] = []
        self.answers: list[asyncio.Future[None]] = []
        self.rounds: Rounds[str, str] = Rounds(self._ask)

    async def _ask(self, wants: frozenset[str]) -> str:
        self.wanted.append(set(wants))
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        await answer
        return ",".join(sorted(wants))

    async def demand(self, *wants: str) -> str:
        return await self.rounds.demand(wants)


def start(loop: SteppedLoop, asked: Asked, *wants: str) -> asyncio.Task[str]:
    return loop.create_task(asked.demand(*wants))


def test_what_is_wanted_in_one_turn_is_asked_for_at_once(loop: SteppedLoop) -> None:
    asked = Asked()
    tasks = [start(loop, asked, "a"), start(loop, asked, "b", "a")]
    loop.settle()
    asked.answers[0].set_result(None)
    loop.settle()
    assert asked.wanted == [{"a", "b"}]
    assert [task.result() for task in tasks] == ["a,b", "a,b"]


def test_a_demand_is_never_answered_by_a_round_that_began_before_it(loop: SteppedLoop) -> None:
    asked = Asked()
    first = start(loop, asked, "a")
    loop.settle()
    later = [start(loop, asked, "a"), start(loop, asked, "b")]
    loop.settle()
    asked.answers[0].set_result(None)
    loop.settle()
    assert first.result() == "a"
    assert not any(task.done() for task in later)
    asked.answers[1].set_result(None)
    loop.settle()
    assert [task.result() for task in later] == ["a,b", "a,b"]
    assert asked.wanted == [{"a"}, {"a", "b"}]


def test_who_is_cancelled_takes_nothing_from_the_others(loop: SteppedLoop) -> None:
    asked = Asked()
    gone, stays = start(loop, asked, "a"), start(loop, asked, "b")
    loop.settle()
    gone.cancel()
    loop.settle()
    asked.answers[0].set_result(None)
    loop.settle()
    assert gone.cancelled()
    assert stays.result() == "a,b"


@pytest.mark.parametrize("error", [NodeUnreachableError("down"), KeyError("a bug")])
def test_a_failure_is_for_all_of_its_round_and_for_no_other(
    loop: SteppedLoop, error: Exception
) -> None:
    asked = Asked()
    failing = [start(loop, asked, "a"), start(loop, asked, "a")]
    loop.settle()
    later = start(loop, asked, "b")
    loop.settle()
    asked.answers[0].set_exception(error)
    loop.settle()
    assert [task.exception() for task in failing] == [error, error]
    asked.answers[1].set_result(None)
    loop.settle()
    assert later.result() == "b"


def test_a_failure_that_nobody_waits_for_any_more_is_no_noise(loop: SteppedLoop) -> None:
    asked = Asked()
    gone = start(loop, asked, "a")
    loop.settle()
    gone.cancel()
    loop.settle()
    asked.answers[0].set_exception(NodeUnreachableError("down"))
    loop.settle()
    loop.call(lambda: asked.rounds.begin(["c"]))
    asked.answers[1].set_exception(NodeUnreachableError("down"))


def test_closing_ends_those_who_wait_for_this_round_and_for_the_next(loop: SteppedLoop) -> None:
    asked = Asked()
    running = start(loop, asked, "a")
    loop.settle()
    collected = start(loop, asked, "b")
    loop.settle()
    loop.finish(asked.rounds.close())
    assert isinstance(running.exception(), ClusterClosedError)
    assert isinstance(collected.exception(), ClusterClosedError)
    with pytest.raises(ClusterClosedError):
        loop.finish(asked.demand("c"))


def test_closing_before_the_first_round_began_ends_those_who_wait(loop: SteppedLoop) -> None:
    asked = Asked()

    async def close_at_once() -> None:
        waiting = asyncio.ensure_future(asked.demand("a"))
        await asyncio.sleep(0)
        await asked.rounds.close()
        with pytest.raises(ClusterClosedError):
            await waiting

    loop.finish(close_at_once())
    assert asked.wanted == []
