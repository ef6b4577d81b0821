"""Who is connected, and what partly received requests hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ottla.broker.metrics import catalogue as metrics
from ottla.broker.metrics.families import Part, family, single
from ottla.transport.listener import Listener


class ConnectionMetrics:
    """Of the listeners of one broker, which share their memory for requests."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def __call__(self) -> Iterator[Part]:
        listeners = self._listeners
        yield family(
            metrics.CONNECTIONS, [((each.name,), len(each.connections)) for each in listeners]
        )
        yield family(
            metrics.CONNECTIONS_ACCEPTED,
            [((each.name,), each.accepted_count) for each in listeners],
        )
        yield family(
            metrics.CONNECTIONS_REFUSED, [((each.name,), each.refused_count) for each in listeners]
        )
        budget = listeners[0].budget
        yield single(metrics.READ_BUFFERS, budget.lent_bytes)
        yield single(metrics.READ_BUFFERS_LIMIT, budget.limit_bytes)
        yield single(metrics.READ_BUFFERS_WAITING, budget.waiting)
