"""Who shall read what: pure, by the names that members of all clients know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ottla.client.consumer.assignors.contract import (
    Assignor,
    GroupMember,
    Rebalancing,
    TopicShape,
)
from ottla.client.consumer.assignors.cooperative_sticky import CooperativeSticky
from ottla.client.consumer.assignors.range import Range
from ottla.client.consumer.assignors.roundrobin import RoundRobin
from ottla.client.consumer.assignors.sticky import Sticky

_BUILT_IN: Final[tuple[Assignor, ...]] = (Range(), RoundRobin(), Sticky(), CooperativeSticky())

BY_NAME: Final[Mapping[str, Assignor]] = {assignor.name: assignor for assignor in _BUILT_IN}
"""Those of Apache Kafka's consumer."""

__all__ = ["BY_NAME", "Assignor", "GroupMember", "Rebalancing", "TopicShape"]
