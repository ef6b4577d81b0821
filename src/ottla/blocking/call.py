"""One call across two threads: a coroutine on the loop, and its caller, who waits for it.

While the caller waits it does for the coroutine what belongs into the caller's thread
(`in_caller`); what is asked of the loop meanwhile runs inside that same coroutine (`nested`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar, cast

from ottla.blocking.errors import BackgroundLostError
from ottla.client.errors import DeadlineError

_log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]

CANCEL_S_MAX: Final = 5.0
"""How long a caller who gives up waits for what it began to end."""

_CURRENT: Final[ContextVar[Call[Any]]] = ContextVar("ottla_call")


class Outcome(Generic[T]):
    """What a function returned or raised, on its way to another thread."""

    __slots__ = ("_error", "_value")

    def __init__(self, value: T | None = None, error: BaseException | None = None) -> None:
        self._value = value
        self._error = error

    def result(self) -> T:
        """Return it, or raise it."""
        if self._error is not None:
            raise self._error
        return cast("T", self._value)


class _Job:
    """A function that the coroutine wants to have called in the caller's thread."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function
        self.asked: asyncio.Queue[_Nested | Outcome[Any]] = asyncio.Queue()


class _Nested:
    """A coroutine that the function of a job wants to have run on the loop."""

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.told: SimpleQueue[Outcome[Any]] = SimpleQueue()


class Call(Generic[T]):
    """Made and waited for by the caller; `begin` is called on the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Work[T],
        unclaimed: Callable[[T], object] | None = None,
    ) -> None:
        """`unclaimed` is given on the loop what the coroutine returned when nobody waits for it."""
        self._loop = loop
        self._work = work
        self._unclaimed = unclaimed
        self._is_given_up = False
        self._is_begun = False
        self._task: asyncio.Task[T] | None = None
        self._mail: SimpleQueue[_Job | Outcome[T]] = SimpleQueue()
        self._job: _Job | None = None
        self._open: _Job | None = None
        """What the coroutine has asked for and not been told."""
        self._nested: _Nested | None = None
        self._lost: BaseException | None = None
        self._value: list[T] = []
        self._reason: BaseException | None = None

    # -- on the loop -----------------------------------------------------------------------------

    def begin(self) -> None:
        """Run the coroutine, unless its caller gave up before."""
        self._is_begun = True
        if self._reason is not None:
            self.lose(self._reason)
            return
        self._task = self._loop.create_task(self._main())
        self._task.add_done_callback(self._ended)

    async def _main(self) -> T:
        _CURRENT.set(self)
        return await self._work()

    def _ended(self, task: asyncio.Task[T]) -> None:
        self._task = None
        if task.cancelled():
            self.lose(
                self._reason
                or self._lost
                or BackgroundLostError("the thread behind the client has ended")
            )
        elif (error := task.exception()) is not None:
            self.lose(error)
        else:
            self._value.append(task.result())
            self._mail.put(Outcome(task.result()))
            if self._is_given_up:
                self._give_back()

    def lose(self, error: BaseException) -> None:
        """This is all that the caller will be told."""
        self.cut_off(error)
        self._mail.put(Outcome(error=error))

    def cut_off(self, error: BaseException) -> None:
        """Nothing that the caller asks for meanwhile is run any more; it gets this."""
        self._lost = self._lost or error
        nested = self._nested
        if nested is not None:
            nested.told.put(Outcome(error=self._lost))

    def _cancel(self, reason: BaseException) -> None:
        self._reason = self._reason or reason
        if self._task is not None:
            self._task.cancel()

    def _abandon(self, reason: BaseException) -> None:
        """The caller does not take what comes, nor what came."""
        self._is_given_up = True
        self._cancel(reason)
        self._give_back()
        if self._open is not None:
            # What was asked for may have been taken from the mail just before the interrupt.
            self._open.asked.put_nowait(Outcome(error=_caller_is_gone()))
        if self._task is None:
            # Interrupted before the loop was asked to begin, which it never will be; or when the
            # outcome had been taken from the mail, and got lost.
            self.lose(reason)

    def _give_back(self) -> None:
        if self._unclaimed is not None and self._value:
            self._unclaimed(self._value.pop())

    async def in_caller(self, function: Callable[[], Any]) -> Any:
        """Call a function in the caller's thread; it is not cut off when this is cancelled.

        What it asks for is, where that runs by then: it gets the reason.
        """
        if self._is_given_up:
            raise _caller_is_gone()
        job = self._open = _Job(function)
        self._mail.put(job)
        cancelled: asyncio.CancelledError | None = None
        while True:
            try:
                asked = await job.asked.get()
                if isinstance(asked, Outcome):
                    break
                await self._do(asked)
            except asyncio.CancelledError as error:
                cancelled = error
        self._open = None
        if cancelled is not None:
            raise cancelled
        return asked.result()

    async def _do(self, nested: _Nested) -> None:
        """Its caller stands still until it is told, also where this is cancelled."""
        try:
            nested.told.put(await _outcome(nested.work))
        except asyncio.CancelledError:
            out_of_time = DeadlineError("the call that this is part of has run out of time")
            nested.told.put(Outcome(error=self._reason or self._lost or out_of_time))
            raise

    # -- in the caller's thread ------------------------------------------------------------------

    def wait(self, timeout_s: float | None = None) -> T:
        """The result. Raises what the coroutine raises; DeadlineError when the time is over.

        Where the waiting itself is interrupted (KeyboardInterrupt), the coroutine is cancelled
        and has ended before that is raised.
        """
        try:
            outcome = self._serve(timeout_s)
        except Empty:
            error = DeadlineError(f"no outcome within {timeout_s:g} s")
            self.give_up(error)
            raise error from None
        except BaseException as error:
            self.give_up(error)
            raise
        return outcome.result()

    def _serve(self, timeout_s: float | None) -> Outcome[T]:
        while isinstance(mail := self._mail.get(timeout=timeout_s), _Job):
            self._job = mail
            try:
                outcome: Outcome[Any] = Outcome(mail.function())
            except Exception as error:  # noqa: BLE001 # it is raised where the function was wanted
                outcome = Outcome(error=error)
            except BaseException as error:
                self._answer(mail, Outcome(error=asyncio.CancelledError(repr(error))))
                raise
            finally:
                self._job = None
            self._answer(mail, outcome)
        return mail

    def _answer(self, job: _Job, outcome: _Nested | Outcome[Any]) -> None:
        # Where the loop is closed nobody waits for it, and `lose` tells the caller.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(job.asked.put_nowait, outcome)

    def give_up(self, reason: BaseException) -> None:
        """The coroutine shall have ended before the caller goes on, or what it holds is unclear."""
        try:
            self._loop.call_soon_threadsafe(self._abandon, reason)
            while isinstance(mail := self._mail.get(timeout=CANCEL_S_MAX), _Job):
                self._answer(mail, Outcome(error=_caller_is_gone()))
        except Empty:
            _log.warning("a call that was given up does not end")
        except RuntimeError:
            _log.debug("the loop of a call that was given up is closed")

    def interrupt(self, reason: BaseException) -> None:
        """From any thread: cancel the coroutine; the caller gets this error, if it was in time."""
        self._loop.call_soon_threadsafe(self._cancel, reason)

    @property
    def is_over(self) -> bool:
        """On the loop: whether its coroutine has ended."""
        return self._task is None

    @property
    def is_in_job(self) -> bool:
        """Whether the caller's thread is inside a function that `in_caller` was given."""
        return self._job is not None

    def nested(self, work: Work[Any]) -> Any:
        """From inside such a function: run a coroutine as part of this call's."""
        assert self._job is not None
        self._nested = nested = _Nested(work)
        try:
            # Looked at only now: who sets it then tells what is nested.
            if self._lost is not None:
                raise self._lost
            self._answer(self._job, nested)
            return nested.told.get().result()
        finally:
            self._nested = None


def _caller_is_gone() -> asyncio.CancelledError:
    return asyncio.CancelledError("the caller is gone")


async def _outcome(work: Work[Any]) -> Outcome[Any]:
    try:
        return Outcome(await work())
    except Exception as error:  # noqa: BLE001 # it is raised in the caller's thread
        return Outcome(error=error)


def current_call() -> Call[Any]:
    """The call whose coroutine runs here. Raises LookupError where there is none any more."""
    call = _CURRENT.get()
    if call.is_over:
        # A task that it began goes on without it: nobody would ever do what that asks for.
        raise LookupError("the call has ended")
    return call
