"""The topics as groups see them: a value that the shell replaces when the cluster's topics change.

Cores of groups know nothing of the metadata log. Two views are compared by identity: as long as it
is the same object, nobody has to look again.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

TopicPartition = tuple[bytes, int]
"""A partition by its topic's id and its own number."""

_HASH = struct.Struct(">q")
NO_TOPICS_HASH: Final = 0
"""Of a group that subscribes to no topic that exists."""


class TopicFacts(Struct, frozen=True, gc=False):
    """What an assignment depends on; `racks` of each partition's replicas, sorted."""

    name: str
    topic_id: bytes
    racks: tuple[tuple[str, ...], ...]

    @property
    def partition_count(self) -> int:
        return len(self.racks)

    def partitions(self) -> list[TopicPartition]:
        """All of them, in order."""
        return [(self.topic_id, index) for index in range(len(self.racks))]


MaySee = Callable[[str, str], bool]
"""Whether members at a host, as groups write it, may know of a topic by its name."""


class TopicsView:
    """Every topic of the cluster; never changes. `version` grows with the cluster's metadata.

    `may_see` is None where everybody may know of all topics.
    """

    __slots__ = ("_by_id", "_by_name", "_fingerprints", "may_see", "version")

    def __init__(
        self,
        topics: Iterable[TopicFacts] = (),
        *,
        version: int = 0,
        may_see: MaySee | None = None,
    ) -> None:
        self.version = version
        self.may_see = may_see
        self._by_name: dict[str, TopicFacts] = {topic.name: topic for topic in topics}
        self._by_id: dict[bytes, TopicFacts] = {
            topic.topic_id: topic for topic in self._by_name.values()
        }
        self._fingerprints: dict[str, bytes] = {}

    def named(self, name: str) -> TopicFacts | None:
        """The topic of that name."""
        return self._by_name.get(name)

    def identified(self, topic_id: bytes) -> TopicFacts | None:
        """The topic of that id."""
        return self._by_id.get(topic_id)

    def fingerprint(self, topic: TopicFacts) -> bytes:
        """Of one of these topics: another one where anything of it has changed."""
        known = self._fingerprints.get(topic.name)
        if known is None:
            known = self._fingerprints[topic.name] = _fingerprint(topic)
        return known

    @property
    def by_name(self) -> Mapping[str, TopicFacts]:
        """All of them."""
        return self._by_name

    def changed(
        self, topics: Iterable[TopicFacts] = (), *, deleted: Iterable[bytes] = (), version: int
    ) -> TopicsView:
        """The next view: `topics` are new or have changed, `deleted` are ids."""
        following = TopicsView(version=version, may_see=self.may_see)
        following._by_name = dict(self._by_name)
        following._by_id = dict(self._by_id)
        for topic_id in deleted:
            gone = following._by_id.pop(topic_id, None)
            if gone is not None:
                following._by_name.pop(gone.name, None)
        for topic in topics:
            following._by_name[topic.name] = topic
            following._by_id[topic.topic_id] = topic
        return following


class KnownTopics:
    """Where the shell puts the view of now; every shard of a broker holds the same one."""

    __slots__ = ("view",)

    def __init__(self, view: TopicsView | None = None) -> None:
        self.view = view or TopicsView()


def metadata_hash(view: TopicsView, names: Iterable[str]) -> int:
    """One number for all that an assignment of these topics depends on; 0 where none exists.

    Another number means that the group needs a new assignment. Brokers of other makes count
    differently: a group that they wrote is assigned once more than needed.
    """
    found = [topic for name in names if (topic := view.named(name)) is not None]
    if not found:
        return NO_TOPICS_HASH
    digest = hashlib.blake2b(digest_size=_HASH.size)
    for topic in sorted(found, key=lambda topic: topic.name):
        digest.update(view.fingerprint(topic))
    number: int = _HASH.unpack(digest.digest())[0]
    return number


def _fingerprint(topic: TopicFacts) -> bytes:
    """Every field behind its length: no two topics look the same."""
    parts = [topic.name, str(topic.partition_count)]
    for racks in topic.racks:
        parts += [str(len(racks)), *racks]
    return topic.topic_id + b"".join(
        len(data).to_bytes(4, "big") + data for data in map(str.encode, parts)
    )
