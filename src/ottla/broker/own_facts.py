"""What only an Ottla broker knows, told as read-only settings to who asks for them by name.

No list of settings has them, and Kafka's brokers leave out what they do not know: so no message
differs from Kafka's, and any client that names keys in DescribeConfigs can read them.

| resource | name | value |
|---|---|---|
| a group | `ottla.group.rebalances` | its last rebalances, as JSON, the newest last |
| a broker | `ottla.clock.ms` | its clock, in milliseconds since 1970 |
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import REBALANCES_TOLD_CHARACTERS_MAX
from ottla.broker.broker import Broker
from ottla.broker.config_descriptions import Description
from ottla.groups.journal import Journal, Rebalance
from ottla.metadata.image import ConfigResource, ResourceType
from ottla.settings.engine import ConfigSource

REBALANCES: Final = "ottla.group.rebalances"
CLOCK: Final = "ottla.clock.ms"


def own_facts(
    resource: ConfigResource, names: Collection[str], broker: Broker
) -> Iterator[Description]:
    """Those of these names. Raises ProtocolError where a group is not here, or there is none."""
    if resource.type == ResourceType.GROUP and REBALANCES in names:
        yield _fact(REBALANCES, rebalances_text(_journal(resource.name, broker)))
    if resource.type == ResourceType.BROKER and resource.name and CLOCK in names:
        yield _fact(CLOCK, str(broker.clock.now_ms()))


def _fact(name: str, text: str) -> Description:
    return Description(name, text, ConfigSource.UNKNOWN, is_read_only=True)


def _journal(group_id: str, broker: Broker) -> Journal:
    group = broker.groups.shard_of(group_id).groups.get(group_id)
    if group is None:
        raise ProtocolError(ErrorCode.GROUP_ID_NOT_FOUND, f"there is no group {group_id}")
    return group.journal


def rebalances_text(journal: Journal) -> str:
    """A JSON list; what is too much for a text of older versions is left out, oldest first."""
    told = [_told(rebalance) for rebalance in journal]
    while len(text := json.dumps(told)) > REBALANCES_TOLD_CHARACTERS_MAX:
        del told[0]
    return text


def _told(rebalance: Rebalance) -> dict[str, object]:
    return {
        "started_ms": rebalance.started_ms,
        "ended_ms": rebalance.ended_ms,
        "from_generation": rebalance.from_generation,
        "to_generation": rebalance.to_generation,
        "members": rebalance.members,
        "causes_count": rebalance.causes_count,
        "causes": [
            {
                "trigger": cause.trigger.value,
                "member_id": cause.member_id,
                "client_id": cause.client_id,
                "group_instance_id": cause.group_instance_id,
                "detail": cause.detail,
            }
            for cause in rebalance.causes
        ],
    }
