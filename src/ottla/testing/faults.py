"""Faults on request: which requests are to go wrong, and how. Counting only; a proxy does it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

from ottla.base.errors import ErrorCode
from ottla.wire.messages import load_all, requests

ALWAYS: Final = None
"""As `times`: until the fault is cleared."""


class Fail(NamedTuple):
    """Answer with an error; the broker never sees the request."""

    error: ErrorCode


class Delay(NamedTuple):
    """Hold the request, and what its connection sends after it."""

    seconds: float


class Cut(NamedTuple):
    """Close the connection; the broker never sees the request."""


class LoseAnswer(NamedTuple):
    """Let the broker do it, then close the connection instead of answering."""


Action = Fail | Delay | Cut | LoseAnswer


class Fault:
    """What goes wrong with some requests of one API. In a `with` statement it ends with the block.

    `seen` counts requests of the API since the fault was made, `hits` those that went wrong.
    """

    def __init__(
        self, owner: Faults, api_key: int, action: Action, *, nth: int, times: int | None
    ) -> None:
        if nth < 1:
            raise ValueError(f"nth counts from 1, not {nth}")
        if times is not None and times < 1:
            raise ValueError(f"times is at least 1, or None for always, not {times}")
        self.api_key = api_key
        self.action = action
        self.seen = 0
        self.hits = 0
        self._owner = owner
        self._first = nth
        self._times = times

    @property
    def is_over(self) -> bool:
        """Whether it has gone wrong as often as was asked for."""
        return self._times is not None and self.hits >= self._times

    def is_due(self) -> bool:
        """Count one more request; whether it goes wrong."""
        self.seen += 1
        due = self.seen >= self._first and not self.is_over
        self.hits += due
        return due

    def clear(self) -> None:
        """From now on nothing goes wrong because of this."""
        self._owner.forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()


class Faults:
    """Faults between every client and one broker. Any thread may ask for them.

    An API is named as Kafka names it: "Produce", "Fetch", "JoinGroup". Requests are counted over
    all connections, from the moment the fault is asked for: `nth=2` spares the first. `times` is
    how many in a row go wrong from there.
    """

    def __init__(self, *, cut_all: Callable[[], int]) -> None:
        self._cut_all = cut_all
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    # -- asking for them -------------------------------------------------------------------------

    def fail(
        self, api: str, error: ErrorCode | str | int, *, nth: int = 1, times: int | None = 1
    ) -> Fault:
        """Answer with this error, by its Kafka name or number, instead of letting it be done."""
        return self._add(api, Fail(error_code(error)), nth=nth, times=times)

    def delay(self, api: str, ms: float, *, nth: int = 1, times: int | None = ALWAYS) -> Fault:
        """Let the broker see the request `ms` milliseconds later."""
        if ms < 0:
            raise ValueError(f"a delay of {ms} ms")
        return self._add(api, Delay(ms / 1000), nth=nth, times=times)

    def drop_connection(self, api: str, *, nth: int = 1, times: int | None = 1) -> Fault:
        """Close the connection instead of taking the request: it is not done."""
        return self._add(api, Cut(), nth=nth, times=times)

    def lose_answer(self, api: str, *, nth: int = 1, times: int | None = 1) -> Fault:
        """Close the connection instead of answering: it is done, and the client cannot know."""
        return self._add(api, LoseAnswer(), nth=nth, times=times)

    def drop_connections(self) -> int:
        """Close every connection now; how many there were."""
        return self._cut_all()

    def clear(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._faults = []

    def _add(self, api: str, action: Action, *, nth: int, times: int | None) -> Fault:
        fault = Fault(self, api_key(api), action, nth=nth, times=times)
        with self._lock:
            # A new list: whoever goes through the old one is not disturbed.
            self._faults = [*self._faults, fault]
        return fault

    # -- for the proxy ---------------------------------------------------------------------------

    def concern(self, key: int) -> bool:
        """Whether any fault is about this API."""
        return any(fault.api_key == key for fault in self._faults)

    def may_fail(self, key: int) -> bool:
        """Whether a request of this API may yet be answered with an error."""
        return any(
            fault.api_key == key and isinstance(fault.action, Fail) and not fault.is_over
            for fault in self._faults
        )

    def due(self, key: int) -> list[Action]:
        """Count a request of this API; what goes wrong with it, oldest fault first."""
        with self._lock:
            return [
                fault.action for fault in self._faults if fault.api_key == key and fault.is_due()
            ]

    def forget(self, fault: Fault) -> None:
        """See `Fault.clear`."""
        with self._lock:
            self._faults = [kept for kept in self._faults if kept is not fault]


def api_key(name: str) -> int:
    """The key of an API. Raises ValueError, with the names there are, for no API."""
    names = api_names()
    if name not in names:
        raise ValueError(f"{name!r} is no API; there are {', '.join(sorted(names))}")
    return names[name]


def api_names() -> dict[str, int]:
    """The key of every API that is declared, by its name in Kafka."""
    load_all()
    return {kind.__name__.removesuffix("Request"): kind.API_KEY for kind in requests.values()}


def error_code(error: ErrorCode | str | int) -> ErrorCode:
    """The error by its name or number. Raises ValueError for none, and for NONE."""
    try:
        code = ErrorCode[error] if isinstance(error, str) else ErrorCode(error)
    except KeyError:
        raise ValueError(f"{error!r} is no error code of Kafka") from None
    if code is ErrorCode.NONE:
        raise ValueError("NONE is no error")
    return code
