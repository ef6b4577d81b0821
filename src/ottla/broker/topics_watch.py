"""Keeps the coordinators' view of all topics in step with the cluster's metadata."""

from __future__ import annotations

from ottla.groups.topics_view import KnownTopics, MaySee, TopicFacts, TopicsView
from ottla.metadata.image import MetadataDelta, MetadataImage, TopicImage
from ottla.metadata.kept import ACL


class TopicsWatch:
    """Changes `known.view` only where topics, their partitions, racks or readers changed.

    `may_see` is None where everybody may know of all topics.
    """

    def __init__(self, image: MetadataImage, may_see: MaySee | None = None) -> None:
        self._may_see = may_see
        self.known = KnownTopics(_whole_view(image, may_see))

    def look(self, image: MetadataImage) -> None:
        """Begin to follow from this image on."""
        self.known.view = _whole_view(image, self._may_see)

    def follow(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Take over one step of the metadata."""
        if self._may_see is not None and any(key[0] == ACL for key in delta.kept_changed):
            self.known.view = _whole_view(image, self._may_see)
            return
        if delta.brokers_changed and _has_racks(image):
            view = _whole_view(image, self._may_see)  # any partition may lie in another rack now
        elif delta.topics_created or delta.topics_deleted or delta.partitions_changed:
            view = self._changed(image, delta)
        else:
            return
        if view.by_name != self.known.view.by_name:
            self.known.view = view

    def _changed(self, image: MetadataImage, delta: MetadataDelta) -> TopicsView:
        changed = (image.topics_by_id.get(topic_id) for topic_id in delta.partitions_changed)
        topics = {topic.topic_id: topic for topic in changed if topic is not None}
        topics |= {topic.topic_id: topic for topic in delta.topics_created}
        return self.known.view.changed(
            (_facts(topic, image) for topic in topics.values() if _exists(topic, image)),
            deleted=[topic.topic_id for topic in delta.topics_deleted],
            version=image.next_offset,
        )


def _exists(topic: TopicImage, image: MetadataImage) -> bool:
    """One may be created and deleted in the same step."""
    return topic.topic_id in image.topics_by_id


def _has_racks(image: MetadataImage) -> bool:
    return any(broker.rack is not None for broker in image.brokers.values())


def _whole_view(image: MetadataImage, may_see: MaySee | None) -> TopicsView:
    return TopicsView(
        (_facts(topic, image) for topic in image.topics_by_name.values()),
        version=image.next_offset,
        may_see=may_see,
    )


def _facts(topic: TopicImage, image: MetadataImage) -> TopicFacts:
    return TopicFacts(
        topic.name,
        topic.topic_id,
        tuple(_racks(partition.replicas, image) for partition in topic.partitions),
    )


def _racks(replicas: tuple[int, ...], image: MetadataImage) -> tuple[str, ...]:
    brokers = (image.brokers.get(replica) for replica in replicas)
    return tuple(
        sorted({each.rack for each in brokers if each is not None and each.rack is not None})
    )
