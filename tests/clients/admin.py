"""Topics made, deleted and looked at by librdkafka's admin client; and kafka-python's."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.clients.complaints import own_logger

PATIENCE_SECONDS = 20.0


class TopicFacts(NamedTuple):
    """What the cluster says of a topic."""

    topic_id: str
    partitions: int


class Admin:
    """The admin client of one broker."""

    def __init__(self, bootstrap: str) -> None:
        self.complaints: list[str] = []
        self._client = AdminClient(
            {"bootstrap.servers": bootstrap}, logger=own_logger(self.complaints)
        )

    def create(self, topic: str, partitions: int = 1, **configs: str | int) -> None:
        """Create a topic; `max_message_bytes=…` sets max.message.bytes, and so on."""
        new = NewTopic(
            topic,
            num_partitions=partitions,
            replication_factor=1,
            config={name.replace("_", "."): str(value) for name, value in configs.items()},
        )
        self._client.create_topics([new])[topic].result(PATIENCE_SECONDS)

    def delete(self, topic: str) -> None:
        self._client.delete_topics([topic])[topic].result(PATIENCE_SECONDS)

    def topics(self) -> set[str]:
        """The names of all topics."""
        return set(self._client.list_topics(timeout=PATIENCE_SECONDS).topics)

    def describe(self, topic: str) -> TopicFacts:
        asked = self._client.describe_topics(TopicCollection([topic]))
        described = asked[topic].result(PATIENCE_SECONDS)
        return TopicFacts(str(described.topic_id), len(described.partitions))

    def addresses(self) -> set[str]:
        """The nodes of the cluster as it tells them to this client, `host:port`."""
        brokers = self._client.list_topics(timeout=PATIENCE_SECONDS).brokers
        return {f"{broker.host}:{broker.port}" for broker in brokers.values()}


def kafka_python_admin(bootstrap: str) -> Any:
    """kafka-python's; to be closed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it reads its files in an old way
        import kafka  # type: ignore[import-untyped]  # has no types

    return kafka.KafkaAdminClient(bootstrap_servers=bootstrap)
