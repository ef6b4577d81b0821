"""Real time and real randomness."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class SystemRng:
    """The operating system's randomness; imported late, for programs that never roll a die."""

    def below(self, bound: int) -> int:
        import secrets

        return secrets.randbelow(bound)

    def uuid(self) -> bytes:
        import uuid

        return uuid.uuid4().bytes
