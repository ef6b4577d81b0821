"""What elections may do with the partitions of a topic: by features, settings, live brokers."""

from __future__ import annotations

from collections.abc import Callable

from ottla.metadata.configs import cluster_topic_settings
from ottla.metadata.features import elr_enabled
from ottla.metadata.image import MetadataImage, TopicImage
from ottla.metadata.leadership import ElectionRules
from ottla.settings import topic as topic_table
from ottla.settings.broker import BrokerSettings


def election_rules(
    image: MetadataImage, settings: BrokerSettings
) -> Callable[[TopicImage], ElectionRules]:
    """The rules of a topic in this image."""
    topics = cluster_topic_settings(image, settings)
    with_elr = elr_enabled(image)
    electable = {broker.node_id for broker in image.brokers.values() if broker.electable}

    def rules_of(topic: TopicImage) -> ElectionRules:
        values = topics.values(image.topic_configs(topic.name))
        min_insync = values[topic_table.MIN_INSYNC_REPLICAS.name]
        assert isinstance(min_insync, int)
        return ElectionRules(
            electable=electable.__contains__,
            min_insync_replicas=min_insync,
            elr_enabled=with_elr,
            unclean_allowed=bool(values[topic_table.UNCLEAN_LEADER_ELECTION_ENABLE.name]),
        )

    return rules_of
