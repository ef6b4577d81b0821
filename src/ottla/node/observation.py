"""What a node serves over HTTP: its health from the first moment on, its numbers once it serves.

Imported only where `ottla.http.listeners` is set.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus

from ottla import __version__
from ottla.broker.broker import Broker
from ottla.broker.cleaning import Cleaning
from ottla.broker.disk_watch import DiskWatch
from ottla.broker.metrics.connections import ConnectionMetrics
from ottla.broker.metrics.families import Collector
from ottla.broker.metrics.groups import GroupMetrics
from ottla.broker.metrics.loop_delay import LoopDelay
from ottla.broker.metrics.node import NodeMetrics
from ottla.broker.metrics.process import ProcessMetrics
from ottla.broker.metrics.pushed import PushedMetrics
from ottla.broker.metrics.quotas import QuotaMetrics
from ottla.broker.metrics.requests import RequestMetrics
from ottla.broker.metrics.scrape import CONTENT_TYPE, Scrape
from ottla.broker.metrics.topics import TopicMetrics
from ottla.broker.topic_reads import TopicReads
from ottla.node.health import JSON, Health, Verdict
from ottla.node.process import milliseconds_since_start
from ottla.settings.endpoints import Endpoint
from ottla.transport.http import HttpAnswer, HttpListener
from ottla.transport.listener import Listener

log = logging.getLogger(__name__)

INDEX = b"/metrics\n/health/live\n/health/ready\n"


class Observation:
    """The HTTP listeners of one node, and what is behind them."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._scrape: Scrape | None = None
        self._loop_delay = LoopDelay()
        self._listeners: list[HttpListener] = []

    @classmethod
    async def begin(cls, endpoints: Sequence[Endpoint], health: Health) -> Observation:
        """Listen. Raises UserError where an address cannot be had."""
        observation = cls(health)
        try:
            for endpoint in endpoints:
                listener = HttpListener(observation._respond)
                observation._listeners.append(listener)
                listener.bind(endpoint.host, endpoint.port)
            for listener in observation._listeners:
                await listener.accept()
        except BaseException:
            observation.close()
            raise
        return observation

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """As bound."""
        return [listener.address for listener in self._listeners]

    def serve(
        self,
        broker: Broker,
        listeners: Sequence[Listener],
        disk_watch: DiskWatch,
        cleaning: Cleaning,
    ) -> None:
        """The node is made: count, and tell."""
        assert broker.requests is not None, "it is made where this is"
        reads = broker.fetch.topic_reads = TopicReads()
        self._loop_delay.start()
        left_out: dict[str, int] = {}
        collectors: dict[str, Collector] = {
            "node": NodeMetrics(
                broker,
                disk_watch,
                cleaning,
                version=__version__,
                start_seconds=milliseconds_since_start() / 1000,
            ),
            "requests": RequestMetrics(broker.requests, broker.fetch),
            "connections": ConnectionMetrics(listeners),
            "topics": TopicMetrics(broker.replicas, broker.metadata, reads, broker.clock, left_out),
            "groups": GroupMetrics(broker.groups, broker.replicas, broker.clock, left_out),
            "quotas": QuotaMetrics(broker.quotas),
            "pushed": PushedMetrics(broker.telemetry, left_out),
            "loop": self._loop_delay,
            "process": ProcessMetrics(),
        }
        self._scrape = Scrape(
            collectors,
            is_ready=lambda: not self._health.ready().reasons,
            left_out=left_out,
        )

    async def stop(self) -> None:
        """Answer nobody any more."""
        self.close()
        if self._scrape is not None:
            await self._scrape.stop()

    def close(self) -> None:
        """The part of `stop` that needs no loop."""
        self._loop_delay.stop()
        for listener in self._listeners:
            listener.stop()

    async def _respond(self, path: str) -> HttpAnswer:
        match path:
            case "/metrics" if self._scrape is not None:
                return HttpAnswer(HTTPStatus.OK, await self._scrape.text(), CONTENT_TYPE)
            case "/metrics":
                return HttpAnswer(HTTPStatus.SERVICE_UNAVAILABLE, b"the node is starting\n")
            case "/health/live":
                return _told(self._health.live())
            case "/health/ready":
                return _told(self._health.ready())
            case "/":
                return HttpAnswer(HTTPStatus.OK, INDEX)
        return HttpAnswer(HTTPStatus.NOT_FOUND, INDEX)


def _told(verdict: Verdict) -> HttpAnswer:
    return HttpAnswer(HTTPStatus(verdict.status), verdict.body, JSON)
