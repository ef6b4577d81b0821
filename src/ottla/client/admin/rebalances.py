"""Why groups have rebalanced: what an Ottla coordinator remembers, and no other.

It is asked for as a read-only setting of the group, by a name that Kafka's brokers pass over.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ottla.base.errors import ErrorCode
from ottla.client.admin.config_entries import ResourceType
from ottla.client.admin.errors import UnsupportedByBrokerError
from ottla.client.admin.outcomes import check
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)

SETTING: Final = "ottla.group.rebalances"


class RebalanceCause(msgspec.Struct, frozen=True, kw_only=True):
    """One member's part; without a member id it is nobody's in the group."""

    trigger: str
    """In words, as "joined"."""
    member_id: str
    client_id: str = ""
    group_instance_id: str | None = None
    detail: str = ""
    """What the client gave as its reason."""


class RebalanceDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One rebalance; what has no end yet has None. Times are in milliseconds since 1970."""

    started_ms: int
    ended_ms: int | None
    from_generation: int
    to_generation: int | None
    members: int | None
    """How many there were afterwards."""
    causes_count: int
    causes: tuple[RebalanceCause, ...]
    """The first of them."""


_decoder: Final = msgspec.json.Decoder(tuple[RebalanceDescription, ...])


async def describe_rebalances(node: Connection, group_id: str) -> tuple[RebalanceDescription, ...]:
    """Those of a group that this node coordinates, the newest last.

    Raises RefusedError; UnsupportedByBrokerError where the node keeps no such thing.
    """
    resource = DescribeConfigsResource(
        resource_type=ResourceType.GROUP, resource_name=group_id, configuration_keys=[SETTING]
    )
    unsupported = UnsupportedByBrokerError(
        f"{node.address} does not remember rebalances: only Ottla's brokers do"
    )
    response = await node.call(
        DescribeConfigsRequest(resources=[resource]), DescribeConfigsResponse
    )
    for result in response.results:
        if result.error_code == ErrorCode.INVALID_REQUEST:
            raise unsupported  # a broker from before groups had settings
        check(result.error_code, result.error_message, f"group {group_id!r}")
        for told in result.configs:
            if told.name == SETTING and told.value is not None:
                return _read(told.value)
    raise unsupported


def _read(text: str) -> tuple[RebalanceDescription, ...]:
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError as error:
        code = ErrorCode.UNKNOWN_SERVER_ERROR
        raise RefusedError(code, f"{SETTING} cannot be read: {error}") from error
