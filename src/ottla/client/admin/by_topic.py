"""Partitions as requests hold them: by topic."""

from __future__ import annotations

from collections.abc import Iterable

from ottla.base.ids import TopicPartition


def by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    """The indexes of each topic, in the order of the partitions."""
    found: dict[str, list[int]] = {}
    for topic, index in partitions:
        found.setdefault(topic, []).append(index)
    return found
