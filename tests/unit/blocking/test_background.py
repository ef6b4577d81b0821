"""One call across two threads, and the thread behind all clients. No socket, no clock."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from ottla.base.errors import UserError
from ottla.blocking import background as background_module
from ottla.blocking.background import Background, borrow, give_back
from ottla.blocking.call import current_call
from ottla.blocking.errors import BackgroundLostError
from ottla.client.errors import DeadlineError


def interrupt_caller() -> None:
    """As the terminal does it: the main thread gets it."""
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGINT)


@pytest.fixture
def background() -> Iterator[Background]:
    borrowed = borrow()
    yield borrowed
    give_back(borrowed)


async def name_of_thread() -> str:
    return threading.current_thread().name


def test_work_is_done_in_one_thread_that_is_there_only_while_it_is_borrowed() -> None:
    first, second = borrow(), borrow()
    assert first is second
    assert first.run(name_of_thread) == "ottla-blocking"
    give_back(first)
    assert second.run(name_of_thread) == "ottla-blocking"
    give_back(second)
    assert second.is_over
    assert "ottla-blocking" not in {thread.name for thread in threading.enumerate()}
    anew = borrow()
    assert anew.run(name_of_thread) == "ottla-blocking"
    give_back(anew)


def test_what_the_work_raises_is_raised_to_who_waits(background: Background) -> None:
    async def fail() -> None:
        raise UserError("no such thing")

    with pytest.raises(UserError, match="no such thing"):
        background.run(fail)


def test_an_interrupt_has_ended_the_work_before_it_is_raised(background: Background) -> None:
    steps: list[str] = []

    async def wait() -> None:
        steps.append("begun")
        # By now the caller waits, or is about to.
        interrupt_caller()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("ended")

    with pytest.raises(KeyboardInterrupt):
        background.run(wait)
    assert steps == ["begun", "ended"]
    assert background.run(name_of_thread) == "ottla-blocking"


def test_what_comes_too_late_for_an_interrupted_caller_is_given_back(
    background: Background,
) -> None:
    unclaimed: list[int] = []

    async def stubborn() -> int:
        interrupt_caller()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return 7
        return 0

    # The interrupt may come while it is begun.
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 # either of these
        call = background.begin(stubborn, unclaimed=unclaimed.append)
        background.finish(call)
    assert unclaimed == [7]


@pytest.mark.parametrize("is_posted", [True, False])
def test_an_interrupt_while_work_is_begun_has_ended_it_too(
    is_posted: bool,
    background: Background,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, steps = threading.Event(), list[str]()

    async def wait() -> None:
        steps.append("begun")
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("ended")

    def interrupted(function: Callable[[], object]) -> None:
        if is_posted:
            post(function)
            begun.wait()
        raise KeyboardInterrupt

    post = background.post
    monkeypatch.setattr(background, "post", interrupted)
    with pytest.raises(KeyboardInterrupt):
        background.begin(wait)
    assert steps == (["begun", "ended"] if is_posted else [])
    assert caplog.messages == [], "it was not waited for in vain"


def test_the_time_of_a_call_may_be_over(background: Background) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlineError):
        background.run(wait, timeout_s=0)


def test_the_thread_behind_never_waits_for_itself(background: Background) -> None:
    async def nested() -> None:
        background.run(name_of_thread)

    with pytest.raises(UserError, match="cannot wait"):
        background.run(nested)


def test_who_waits_is_told_when_the_thread_ends(background: Background) -> None:
    async def end_it() -> None:
        asyncio.get_running_loop().call_soon(quit_thread)
        await asyncio.Event().wait()

    def quit_thread() -> None:
        raise SystemExit

    with pytest.raises(BackgroundLostError):
        background.run(end_it)
    background._thread.join()
    with pytest.raises(BackgroundLostError):
        background.run(name_of_thread)
    anew = borrow()
    assert anew is not background
    give_back(anew)


def test_who_gives_back_waits_for_a_thread_that_ends_by_itself_too(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling, waited_for = threading.Event(), threading.Event()
    join = background._thread.join

    def wait_for_it(timeout_s: float | None = None) -> None:
        waited_for.set()
        join(timeout_s)

    def tell(_: str) -> None:
        telling.set()
        waited_for.wait(1)

    async def quit_thread() -> None:
        raise SystemExit

    monkeypatch.setattr(background._thread, "join", wait_for_it)
    monkeypatch.setattr(background_module._log, "exception", tell)
    with pytest.raises(SystemExit):
        background.run(quit_thread)
    assert telling.wait(10)
    background.stop()
    assert not background._thread.is_alive()


def test_the_work_has_functions_called_by_its_caller_who_may_ask_in_return(
    background: Background,
) -> None:
    told: list[object] = []

    def in_caller() -> str:
        told.append(threading.current_thread() is threading.main_thread())
        told.append(call.nested(which_task))
        return "done"

    async def which_task() -> object:
        return asyncio.current_task()

    async def work() -> object:
        told.append(await current_call().in_caller(in_caller))
        return asyncio.current_task()

    call = background.begin(work)
    task = background.finish(call)
    assert told == [True, task, "done"], "what the function asks for is part of the same task"


def test_what_a_function_in_the_caller_raises_is_raised_in_the_work(
    background: Background,
) -> None:
    def fail() -> None:
        raise ValueError("the listener's")

    async def work() -> str:
        try:
            await current_call().in_caller(fail)
        except ValueError as error:
            return str(error)
        return "nothing"

    assert background.run(work) == "the listener's"


def test_an_interrupt_of_a_function_in_the_caller_ends_the_work(background: Background) -> None:
    ended: list[bool] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    async def work() -> None:
        try:
            await current_call().in_caller(interrupted)
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        background.run(work)
    assert ended == [True]


def test_a_fork_finds_the_loop_between_two_callbacks(background: Background) -> None:
    order: list[str] = []

    async def work() -> None:
        order.append("before")

    background.run(work)
    background.park()
    background.post(lambda: order.append("while parked"))
    assert order == ["before"]
    background.go_on()
    background.run(work)
    assert order == ["before", "while parked", "before"]
