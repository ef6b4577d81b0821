"""Asks the right nodes about items, again where that helps, until each has its outcome.

Every question goes to all its nodes at once, and what one of them leaves open does not hold up the
others: it is placed anew, alone, after a backoff.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from copy import copy
from typing import Generic, TypeVar

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.base.limits import ADMIN_NEW_THINGS_KNOWN_MS_MAX
from ottla.client.admin.errors import AdminClosedError, UnsupportedByBrokerError
from ottla.client.admin.outcomes import Answers, Outcomes, left_out
from ottla.client.admin.routes import Errand, Route, ToAnyNode, ToBrokers, ToController, brokers_of
from ottla.client.backoff import Backoff
from ottla.client.cluster import Cluster
from ottla.client.connection import Connection
from ottla.client.errors import DeadlineError, NodeError, RefusedError
from ottla.client.metadata import Node

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Question = Callable[[Connection, Sequence[K]], Awaitable[Answers[K, V]]]
"""Asks one node about items. May raise RefusedError for all of them. It may be asked again: then
the node may have done it already, as with Kafka's own clients."""


class Asking:
    """The line that all subjects share; `start` gives it a cluster."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None

    def start(self, cluster: Cluster) -> None:
        """Ask this cluster from now on."""
        self._cluster = cluster

    def stop(self) -> None:
        """Ask nobody any more."""
        self._cluster = None

    @property
    def cluster(self) -> Cluster:
        """Raises AdminClosedError where there is none."""
        if self._cluster is None:
            raise AdminClosedError("administration is not started, or closed")
        return self._cluster

    @property
    def patience_ms(self) -> int:
        """How long a node may take to do what it is asked, as requests tell it."""
        options = self.cluster.options
        return min(options.request_timeout_ms, options.default_api_timeout_ms)

    async def each(
        self,
        items: Collection[K],
        route: Route[K],
        question: Question[K, V],
        *,
        timeout_s: float | None = None,
    ) -> Outcomes[K, V]:
        """Ask about each item; `default_api_timeout_ms` where `timeout_s` is None.

        Raises UnsupportedByBrokerError where no broker that is asked offers it, ClusterClosedError
        and AdminClosedError. All else that goes wrong is the items' own.
        """
        return await _Inquiry(self.cluster, list(dict.fromkeys(items)), route, question).run(
            timeout_s
        )

    async def at_controller(
        self, items: Collection[K], question: Question[K, V], *, timeout_s: float | None = None
    ) -> Outcomes[K, V]:
        """Ask the controller about each item."""
        return await self.each(items, ToController(self.cluster), question, timeout_s=timeout_s)

    async def at_any(
        self, items: Collection[K], question: Question[K, V], *, timeout_s: float | None = None
    ) -> Outcomes[K, V]:
        """Ask whichever node about each item."""
        return await self.each(items, ToAnyNode(self.cluster), question, timeout_s=timeout_s)

    async def one(
        self,
        route: Route[str],
        question: Callable[[Connection], Awaitable[V]],
        *,
        about: str,
        timeout_s: float | None = None,
    ) -> V:
        """One question with one answer; `about` names it in errors, and to the route.

        Raises RefusedError, DeadlineError, UnsupportedByBrokerError.
        """

        async def ask(node: Connection, items: Sequence[str]) -> Answers[str, V]:
            return {about: await question(node)}

        return (await self.each([about], route, ask, timeout_s=timeout_s))[about]

    async def any_one(
        self,
        question: Callable[[Connection], Awaitable[V]],
        *,
        about: str,
        timeout_s: float | None = None,
    ) -> V:
        """One question to whichever node."""
        return await self.one(ToAnyNode(self.cluster), question, about=about, timeout_s=timeout_s)

    async def controller_one(
        self,
        question: Callable[[Connection], Awaitable[V]],
        *,
        about: str,
        timeout_s: float | None = None,
    ) -> V:
        """One question to the controller."""
        route = ToController[str](self.cluster)
        return await self.one(route, question, about=about, timeout_s=timeout_s)

    async def at_brokers(
        self,
        brokers: Collection[int] | None,
        question: Callable[[Connection], Awaitable[V]],
        *,
        timeout_s: float | None = None,
    ) -> Outcomes[int, V]:
        """The same question to each of these brokers; to all where None."""
        cluster = self.cluster
        if timeout_s is None:
            timeout_s = cluster.options.default_api_timeout_ms / 1000
        if brokers is None:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            brokers = await cluster.retry(
                lambda: brokers_of(cluster), failed="no broker was found", timeout_s=timeout_s
            )
            timeout_s -= loop.time() - began_s

        async def ask(node: Connection, items: Sequence[int]) -> Answers[int, V]:
            (broker,) = items
            return {broker: await question(node)}

        return await self.each(brokers, ToBrokers(cluster, int), ask, timeout_s=timeout_s)


class _Inquiry(Generic[K, V]):
    """One call: what is still open, and what became of the rest."""

    def __init__(
        self, cluster: Cluster, items: list[K], route: Route[K], question: Question[K, V]
    ) -> None:
        self._cluster = cluster
        self._items = items
        self._route = route
        self._question = question
        self._open: dict[K, UserError | None] = dict.fromkeys(items)
        """With the last error of each, which may pass."""
        self._done: dict[K, V] = {}
        self._errors: dict[K, UserError] = {}
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()

    async def run(self, timeout_s: float | None) -> Outcomes[K, V]:
        if timeout_s is None:
            timeout_s = self._cluster.options.default_api_timeout_ms / 1000
        if self._items:
            await self._within(timeout_s)
        for item, last in self._open.items():
            self._errors[item] = _too_late(item, timeout_s, last)
        self._raise_where_nobody_offers_it()
        return Outcomes(
            {item: self._done[item] for item in self._items if item in self._done},
            {item: self._errors[item] for item in self._items if item in self._errors},
        )

    async def _within(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s) as deadline, asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await self._place(self._items, self._cluster.backoff())
        except TimeoutError:
            if not deadline.expired():
                raise
        except BaseExceptionGroup as group:
            # What ends one branch ends the call: its reason is told as it is, once.
            raise group.exceptions[0] from None

    def _raise_where_nobody_offers_it(self) -> None:
        errors = list(self._errors.values())
        if errors and not self._done:
            unsupported = [error for error in errors if isinstance(error, UnsupportedByBrokerError)]
            if len(unsupported) == len(errors):
                raise unsupported[0]

    # -- one turn --------------------------------------------------------------------------------

    async def _place(self, items: Sequence[K], backoff: Backoff) -> None:
        """Find out whom to ask about these, and ask them."""
        try:
            placement = await self._route.place(items)
        except NodeError as error:
            self._again(items, backoff, after=error)
            return
        self._refused(placement.refused, None, backoff)
        for errand in placement.errands:
            self._tasks.create_task(self._ask(errand, backoff))

    async def _ask(self, errand: Errand[K], backoff: Backoff) -> None:
        """Ask one node; what stays open is placed anew."""
        items, node = errand
        try:
            answers = await self._question(await self._route.connection(node), items)
        except NodeError as error:
            self._again(items, backoff, node, after=error)
        except RefusedError as error:
            self._refused(dict.fromkeys(items, error), node, backoff)
        except UnsupportedByBrokerError as error:
            self._fail(items, error)
        except ProtocolError as error:
            if error.code is not ErrorCode.UNSUPPORTED_VERSION:
                raise
            self._fail(items, UnsupportedByBrokerError(error.message))
        else:
            self._refused(self._take(items, answers), node, backoff)

    def _take(self, items: Sequence[K], answers: Answers[K, V]) -> dict[K, RefusedError]:
        """Keep the results; what was refused is returned."""
        refused: dict[K, RefusedError] = {}
        for item in items:
            answer = answers[item] if item in answers else left_out(item)
            if isinstance(answer, RefusedError):
                refused[item] = answer
            elif isinstance(answer, UnsupportedByBrokerError):
                self._fail([item], answer)
            else:
                self._done[item] = answer
                del self._open[item]
        return refused

    def _refused(
        self, refused: Mapping[K, RefusedError], node: Node | None, backoff: Backoff
    ) -> None:
        """Keep the errors that are final; ask again where they may pass."""
        passing = {item: error for item, error in refused.items() if self._may_pass(error.code)}
        for item, error in refused.items():
            if item not in passing:
                self._fail([item], error)
        if passing:
            self._open.update(passing)
            self._again(list(passing), backoff, node)

    def _may_pass(self, code: ErrorCode) -> bool:
        if self._route.passes_soon(code):
            waited_ms = (self._loop.time() - self._began_s) * 1000
            return waited_ms < ADMIN_NEW_THINGS_KNOWN_MS_MAX
        return self._route.passes(code)

    def _fail(self, items: Sequence[K], error: UserError) -> None:
        for item in items:
            self._errors[item] = error
            del self._open[item]

    def _again(
        self,
        items: Sequence[K],
        backoff: Backoff,
        node: Node | None = None,
        *,
        after: NodeError | None = None,
    ) -> None:
        """Place these anew after a wait of their own."""
        if after is not None:
            self._open.update(dict.fromkeys(items, after))
        self._route.doubt(items, node)
        # A copy: what else was asked at the same time fails, and waits, by itself.
        self._tasks.create_task(self._later(items, copy(backoff)))

    async def _later(self, items: Sequence[K], backoff: Backoff) -> None:
        await asyncio.sleep(backoff.next_ms() / 1000)
        await self._place(items, backoff)


def _too_late(item: object, timeout_s: float, last: UserError | None) -> DeadlineError:
    reason = "no answer has come" if last is None else str(last)
    return DeadlineError(f"{item} was not done within {timeout_s:g} s: {reason}")
