"""The broker's settings while it runs: what is set in the metadata takes effect without a restart.

Whoever asks `BrokerSettings` for a value each time it is needed has the new one at once. Whoever
keeps what follows from settings (limits, rates, configurations of logs) says so with `follow`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping

from ottla.broker.housekeeping import Housekeeping
from ottla.broker.replica_moves import ReplicaMoves
from ottla.broker.replicas import LocalReplicas
from ottla.metadata.image import (
    ALL_BROKERS,
    ConfigResource,
    MetadataDelta,
    MetadataImage,
    ResourceType,
)
from ottla.settings import broker as keys
from ottla.settings.broker import BrokerSettings
from ottla.settings.engine import FOR_ALL_BROKERS, FOR_ONE_BROKER, Change

log = logging.getLogger(__name__)

Follower = Callable[[BrokerSettings], None]


class LiveSettings:
    """Brings what the metadata sets for this broker, and for all, into its settings."""

    def __init__(self, settings: BrokerSettings, node_id: int) -> None:
        self._settings = settings
        self._node_id = node_id
        self._own = ConfigResource(ResourceType.BROKER, str(node_id))
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Call with the settings, now and after each change of a value."""
        follower(self._settings)
        self._followers.append(follower)

    def look(self, image: MetadataImage) -> None:
        """Take all that the image says."""
        own = _usable(image.broker_configs(self._node_id), FOR_ONE_BROKER)
        everywhere = _usable(image.broker_configs(None), FOR_ALL_BROKERS)
        if self._settings.set_dynamic(own, everywhere):
            for follower in self._followers:
                follower(self._settings)

    def apply(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """The metadata changed; call this before anybody who reads settings then."""
        if not delta.configs_changed.isdisjoint((self._own, ALL_BROKERS)):
            self.look(image)

    def follow_with(
        self, replicas: LocalReplicas, moves: ReplicaMoves, housekeeping: Housekeeping
    ) -> None:
        """Let the parts of a broker follow that every one has."""
        self.follow(lambda _: replicas.follow_settings())
        self.follow(lambda settings: moves.set_rate(settings[keys.REPLICA_MOVE_BYTES_PER_SECOND]))
        self.follow(
            lambda settings: housekeeping.expire_producers_after(
                settings[keys.PRODUCER_ID_EXPIRATION_MS]
            )
        )


def _usable(texts: Mapping[str, str], changes: Collection[Change]) -> dict[str, str]:
    """What can be followed: the log may be one that Kafka, or another version, has written."""
    usable = keys.SETTINGS.usable(texts, changes=changes)
    ignored = sorted(texts.keys() - usable.keys())
    if ignored:
        log.warning("settings in the metadata have no effect here", extra={"ignored": ignored})
    return usable
