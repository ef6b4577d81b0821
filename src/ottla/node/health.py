"""Whether a node lives, and whether it is ready: two questions with two answers.

Who does not live is started anew. Who is not ready gets no clients for a while: a node that starts,
stops, or reads its coordinators' state.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final, NamedTuple

JSON: Final = "application/json"
OK: Final = 200
UNAVAILABLE: Final = 503
"""Of HTTP; its module is not loaded for two numbers."""


class Verdict(NamedTuple):
    """One answer; `reasons` say what is against it."""

    question: str
    reasons: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """As HTTP says it."""
        return UNAVAILABLE if self.reasons else OK

    @property
    def body(self) -> bytes:
        told: dict[str, object] = {self.question: not self.reasons}
        if self.reasons:
            told["reasons"] = self.reasons
        return json.dumps(told).encode() + b"\n"


class Health:
    """Of one node; it begins as one that starts."""

    def __init__(self) -> None:
        self._stage: str | None = "the node is starting"
        self._lost: asyncio.Future[str] | None = None
        self._loading: Callable[[], int] = lambda: 0

    def serving(self, lost: asyncio.Future[str], loading: Callable[[], int]) -> None:
        """Clients are served from now on. `loading` counts coordinators that are being read."""
        self._stage = None
        self._lost = lost
        self._loading = loading

    def stopping(self) -> None:
        self._stage = "the node is stopping"

    def live(self) -> Verdict:
        if self._lost is not None and self._lost.done():
            return Verdict("live", (self._lost.result(),))
        return Verdict("live")

    def ready(self) -> Verdict:
        reasons = [*self.live().reasons]
        if self._stage is not None:
            reasons.append(self._stage)
        if loading := self._loading():
            reasons.append(f"{loading} partitions of coordinators are being read")
        return Verdict("ready", tuple(reasons))
