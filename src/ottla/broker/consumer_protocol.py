"""Whether the cluster runs the consumer protocol of groups: a feature, off in old clusters."""

from __future__ import annotations

from typing import Final

from ottla.broker.broker import Broker
from ottla.metadata.features import GROUP_VERSION

CONSUMER_PROTOCOL_OFF: Final = f"the feature {GROUP_VERSION} is off in this cluster"


def knows_consumer_protocol(broker: Broker) -> bool:
    """As of now: the level may change at any time."""
    return broker.metadata.image.features.get(GROUP_VERSION, 0) >= 1
