"""What a caller asks for while the coroutine waits for it, whose end may come at every moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from ottla.base.errors import UserError
from ottla.blocking.background import Background, borrow, give_back
from ottla.blocking.call import Call, Work, current_call
from ottla.blocking.errors import BackgroundLostError, WakeupError
from ottla.client.errors import DeadlineError


@pytest.fixture
def background() -> Iterator[Background]:
    borrowed = borrow()
    yield borrowed
    give_back(borrowed)


class Asking:
    """A call whose coroutine has its caller ask for this and that; `told` is what came of it."""

    def __init__(self, background: Background, *asked: Work[Any]) -> None:
        self.told: list[object] = []
        self._asked = asked
        self._background = background
        self.call: Call[None] = background.begin(self._main)

    async def _main(self) -> None:
        async with asyncio.timeout(None) as self._time:
            await current_call().in_caller(self._in_caller)

    def _in_caller(self) -> None:
        for work in self._asked:
            try:
                self.told.append(self.call.nested(work))
            except UserError as error:
                self.told.append(type(error))

    def finish(self) -> None:
        self._background.finish(self.call)

    def wake(self) -> None:
        self.call.interrupt(WakeupError("woken"))

    def end_time(self) -> None:
        self._time.reschedule(0)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def done() -> str:
    return "done"


async def end_the_loop() -> None:
    def end() -> None:
        raise SystemExit

    asyncio.get_running_loop().call_soon(end)
    await for_ever()


async def end_the_loop_by_itself() -> None:
    raise SystemExit


def test_what_was_asked_for_ends_with_the_call_that_is_woken(background: Background) -> None:
    asking: Asking

    async def woken() -> None:
        asking.wake()
        await for_ever()

    asking = Asking(background, woken, done)
    with pytest.raises(WakeupError):
        asking.finish()
    assert asking.told == [WakeupError, "done"]


def test_what_was_asked_for_ends_with_the_time_of_the_call(background: Background) -> None:
    asking: Asking

    async def late() -> None:
        asking.end_time()
        await for_ever()

    asking = Asking(background, late, done)
    with pytest.raises(TimeoutError):
        asking.finish()
    assert asking.told == [DeadlineError, "done"]


@pytest.mark.parametrize(
    ("end", "told"), [(end_the_loop, BackgroundLostError), (end_the_loop_by_itself, SystemExit)]
)
def test_what_was_asked_for_ends_with_the_thread_that_would_do_it(
    end: Work[None], told: type[BaseException], background: Background
) -> None:
    asking = Asking(background, end, for_ever)
    with pytest.raises(told):
        asking.finish()
    assert asking.told == [BackgroundLostError, BackgroundLostError]


def test_what_outlives_a_call_is_no_part_of_it(background: Background) -> None:
    async def is_in_call(ended: asyncio.Event) -> bool:
        await ended.wait()
        try:
            current_call()
        except LookupError:
            return False
        return True

    async def begin() -> tuple[asyncio.Event, asyncio.Task[bool]]:
        current_call()
        ended = asyncio.Event()
        return ended, asyncio.create_task(is_in_call(ended))

    ended, task = background.run(begin)

    async def outcome() -> bool:
        ended.set()
        return await task

    assert background.run(outcome) is False


def lose_mail(call: Call[Any]) -> None:
    """As where a signal interrupts between the taking of mail and its first use."""
    call._mail.get(timeout=10)


def test_an_outcome_that_an_interrupt_loses_is_not_waited_for(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    call = background.begin(done)
    lose_mail(call)
    call.give_up(KeyboardInterrupt())
    assert caplog.messages == []


def test_a_question_that_an_interrupt_loses_is_answered_for_the_caller(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    asking = Asking(background, done)
    lose_mail(asking.call)
    asking.call.give_up(KeyboardInterrupt())
    assert caplog.messages == []
    assert asking.told == []
