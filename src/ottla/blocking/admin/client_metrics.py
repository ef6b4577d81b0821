"""`admin.client_metrics` for plain calls."""

from __future__ import annotations

from ottla.blocking.client import Runner
from ottla.client.admin.client_metrics import ClientMetrics as AsyncioClientMetrics
from ottla.client.admin.client_metrics import Subscription


class ClientMetrics:
    """`admin.client_metrics`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioClientMetrics) -> None:
        self._run = run
        self._inner = inner

    def list(self, *, timeout_s: float | None = None) -> tuple[str, ...]:
        """The names of all subscriptions."""
        return self._run(lambda: self._inner.list(timeout_s=timeout_s))

    def describe(self, name: str, *, timeout_s: float | None = None) -> Subscription:
        """What a subscription sets itself."""
        return self._run(lambda: self._inner.describe(name, timeout_s=timeout_s))

    def set(self, name: str, subscription: Subscription, *, timeout_s: float | None = None) -> None:
        """Make a subscription, or change what is not None in it."""
        return self._run(lambda: self._inner.set(name, subscription, timeout_s=timeout_s))

    def delete(self, name: str, *, timeout_s: float | None = None) -> None:
        """Forget a subscription: all that it sets goes."""
        return self._run(lambda: self._inner.delete(name, timeout_s=timeout_s))
