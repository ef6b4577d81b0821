"""The topics that a subscription means, and what they look like, by the metadata."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from ottla.base.errors import ProtocolError, UserError
from ottla.client.cluster import Cluster
from ottla.client.consumer.assignors import TopicShape
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.subscription import Subscription
from ottla.client.metadata import TopicMetadata

_log = logging.getLogger(__name__)


class SubscribedTopics:
    """Kept fresh from `subscribe` to `stop`; `on_news` is called whenever they were asked for."""

    def __init__(
        self, cluster: Cluster, options: ConsumerOptions, *, on_news: Callable[[], None]
    ) -> None:
        self._cluster = cluster
        self._options = options
        self._on_news = on_news
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self.subscription: Subscription | None = None
        self.is_known = False
        """Whether the metadata was asked since the subscription."""

    def subscribe(self, subscription: Subscription) -> None:
        """Mean this from now on."""
        self.stop()
        self.subscription = subscription
        self._task = self._loop.create_task(self._watch())

    def names(self) -> frozenset[str]:
        """The topics by name; those that an expression of the brokers matches they know."""
        subscription = self.subscription
        if subscription is None:
            return frozenset()
        if subscription.pattern is None:
            return subscription.names
        return frozenset(
            name
            for name, topic in self._cluster.metadata.topics.items()
            if self._may_match(topic) and subscription.chooses(name)
        )

    def _may_match(self, topic: TopicMetadata) -> bool:
        return not topic.error and not (topic.is_internal and self._options.exclude_internal_topics)

    def shapes(self, topics: Iterable[str]) -> dict[str, TopicShape]:
        """Those of them that are there."""
        metadata = self._cluster.metadata
        found = {name: metadata.topic(name) for name in topics}
        return {name: self._shape(topic) for name, topic in found.items() if topic is not None}

    def _shape(self, topic: TopicMetadata) -> TopicShape:
        nodes = self._cluster.metadata.nodes
        return TopicShape(
            tuple(
                frozenset(
                    nodes[replica].rack or ""
                    for replica in partition.replicas
                    if replica in nodes and nodes[replica].rack
                )
                for partition in topic.partitions.values()
            )
        )

    async def learn(self, topics: Iterable[str]) -> None:
        """Ask for those that are not known. Raises nothing: what stays unknown is left out."""
        unknown = [name for name in topics if self._cluster.metadata.topic(name) is None]
        if unknown:
            await self._ask(self._cluster.refresh(unknown))

    def touch(self) -> None:
        """Keep the topics in the metadata's refresh."""
        for name in self.names():
            self._cluster.metadata.topic(name)

    async def _ask(self, asking: Awaitable[object]) -> bool:
        try:
            await asking
        except (UserError, ProtocolError) as error:
            _log.info("topics of a subscription are not known", extra={"reason": str(error)})
            return False
        return True

    async def _watch(self) -> None:
        """Names are looked up once, then the metadata keeps them; patterns need all topics."""
        subscription = self.subscription
        assert subscription is not None
        backoff = self._cluster.backoff()
        while True:
            is_told = await self._refresh(subscription)
            if is_told:
                self.is_known = True
                backoff.reset()
                self._on_news()
            age_ms = self._cluster.options.metadata_max_age_ms
            await asyncio.sleep((age_ms if is_told else backoff.next_ms()) / 1000)

    async def _refresh(self, subscription: Subscription) -> bool:
        if subscription.pattern is not None:
            return await self._ask(self._cluster.refresh_all())
        metadata = self._cluster.metadata
        unknown = [name for name in sorted(subscription.names) if metadata.topic(name) is None]
        if not unknown:
            return True
        creates = self._options.allow_auto_create_topics
        return await self._ask(self._cluster.refresh(unknown, creates=creates))

    def stop(self) -> None:
        """Mean nothing any more."""
        self.subscription = None
        self.is_known = False
        if self._task is not None:
            self._task.cancel()
        self._task = None
