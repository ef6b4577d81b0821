"""The cluster itself: its nodes, its quorum, the features it runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from typing import Final

from msgspec import Struct

from ottla import __version__
from ottla.base.ids import NO_LEADER
from ottla.client.admin.asking import Asking
from ottla.client.admin.errors import UnsupportedByBrokerError
from ottla.client.admin.operations import Operations, operations_of
from ottla.client.admin.outcomes import Answers, Outcomes, check, verdict
from ottla.client.admin.quorum import QuorumDescription, described, metadata_log
from ottla.client.connection import Connection
from ottla.client.metadata import Node
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from ottla.wire.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse
from ottla.wire.messages.unregister_broker import (
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
)
from ottla.wire.messages.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

_FEATURES_SINCE: Final = 3
"""The first version of ApiVersions that tells features (KIP-584)."""
_FEATURES_MAX: Final = 4
"""Later versions of it ask whether the right node was reached, which is not the question here."""
_KINDS_OF_DOWNGRADE_SINCE: Final = 1
_ALL_OR_NOTHING_SINCE: Final = 2
"""The version of UpdateFeatures from which there is no result of each feature."""


class ClusterNode(Struct, frozen=True, kw_only=True):
    """One broker, at its address on the listener that was asked."""

    node: Node
    is_fenced: bool = False
    """Whether it is registered and does not serve now."""


class ClusterDescription(Struct, frozen=True, kw_only=True):
    """Who is in the cluster."""

    cluster_id: str | None
    controller: Node | None
    """Whom to send changes to: any broker, where that passes them on."""
    nodes: tuple[ClusterNode, ...]
    """By id."""
    authorized_operations: Operations | None = None
    """What this client may do with the cluster; None where it was not asked or not told."""


class FeatureDescription(Struct, frozen=True, kw_only=True):
    """One feature: the levels that the asked broker can run, and the one that the cluster runs."""

    name: str
    min_level: int | None
    max_level: int | None
    """None for a feature that the broker does not know."""
    level: int
    """0 for one that is off."""
    epoch: int | None = None
    """How old what the broker says of levels is: it grows with the metadata log."""


class ApiRange(Struct, frozen=True):
    """The versions of an API that a broker takes, both ends included."""

    first: int
    last: int


class FeatureUpgrade(IntEnum):
    """How a feature may change its level."""

    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    """Down, where nothing is lost."""
    UNSAFE_DOWNGRADE = 3


class FeatureUpdate(Struct, frozen=True):
    """A new level; 0 switches the feature off."""

    level: int
    how: FeatureUpgrade = FeatureUpgrade.UPGRADE


class ClusterItself:
    """`admin.cluster`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def describe(
        self,
        *,
        authorized_operations: bool = False,
        fenced: bool = False,
        timeout_s: float | None = None,
    ) -> ClusterDescription:
        """Nodes, controller and the cluster's id; with `fenced` (Kafka 4.0) also brokers that are
        registered and do not serve.

        `authorized_operations` tells what this client may do with the cluster (Kafka 2.3).
        """

        async def ask(node: Connection) -> ClusterDescription:
            if node.speaks(DescribeClusterRequest):
                return await _describe(node, operations=authorized_operations, fenced=fenced)
            if fenced:
                raise UnsupportedByBrokerError(f"{node.address} does not tell of fenced brokers")
            return await _describe_by_metadata(node, operations=authorized_operations)

        return await self._asking.any_one(ask, about="the cluster", timeout_s=timeout_s)

    async def quorum(self, *, timeout_s: float | None = None) -> QuorumDescription:
        """The voters and observers of the metadata log (Kafka 3.3, without ZooKeeper)."""

        async def ask(node: Connection) -> QuorumDescription:
            response = await node.call(
                DescribeQuorumRequest(topics=metadata_log()), DescribeQuorumResponse
            )
            check(response.error_code, response.error_message, "the quorum")
            return described(response)

        return await self._asking.controller_one(ask, about="the quorum", timeout_s=timeout_s)

    async def features(self, *, timeout_s: float | None = None) -> Mapping[str, FeatureDescription]:
        """Features by name (Kafka 2.7)."""

        async def ask(node: Connection) -> Mapping[str, FeatureDescription]:
            if node.version_of(ApiVersionsRequest, at_most=_FEATURES_MAX) < _FEATURES_SINCE:
                raise UnsupportedByBrokerError(f"{node.address} does not tell of features")
            request = ApiVersionsRequest(
                client_software_name="ottla", client_software_version=__version__
            )
            response = await node.call(request, ApiVersionsResponse, at_most=_FEATURES_MAX)
            check(response.error_code, None, "the features")
            return _features(response)

        return await self._asking.any_one(ask, about="the features", timeout_s=timeout_s)

    async def api_versions(
        self, brokers: Collection[int] | None = None, *, timeout_s: float | None = None
    ) -> Outcomes[int, Mapping[int, ApiRange]]:
        """The APIs that these brokers take, or all; by broker, then by the API's key."""

        async def ask(node: Connection) -> Mapping[int, ApiRange]:
            request = ApiVersionsRequest(
                client_software_name="ottla", client_software_version=__version__
            )
            response = await node.call(request, ApiVersionsResponse, at_most=_FEATURES_MAX)
            check(response.error_code, None, f"the APIs of {node.address}")
            return {
                told.api_key: ApiRange(told.min_version, told.max_version)
                for told in response.api_keys
            }

        return await self._asking.at_brokers(brokers, ask, timeout_s=timeout_s)

    async def update_features(
        self,
        updates: Mapping[str, FeatureUpdate | int],
        *,
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, None]:
        """Let the cluster run features at other levels; by name. A number alone is an upgrade.

        From Kafka 4.0 on all are changed or none. `validate_only` needs Kafka 3.3.
        """
        wanted = {
            name: FeatureUpdate(update) if isinstance(update, int) else update
            for name, update in updates.items()
        }

        async def ask(node: Connection, items: Sequence[str]) -> Answers[str, None]:
            version = node.version_of(UpdateFeaturesRequest)
            request = UpdateFeaturesRequest(
                timeout_ms=self._asking.patience_ms,
                feature_updates=[_update(item, wanted[item], version) for item in items],
                validate_only=validate_only,
            )
            response = await node.call(request, UpdateFeaturesResponse)
            check(response.error_code, response.error_message, "the features")
            if version >= _ALL_OR_NOTHING_SINCE:
                return dict.fromkeys(items)
            return {
                told.feature: verdict(
                    told.error_code, told.error_message, f"feature {told.feature!r}", None
                )
                for told in response.results
            }

        return await self._asking.at_controller(wanted, ask, timeout_s=timeout_s)

    async def unregister_broker(self, broker_id: int, *, timeout_s: float | None = None) -> None:
        """Forget a broker that is gone for good (Kafka 2.8, without ZooKeeper)."""

        async def ask(node: Connection) -> None:
            request = UnregisterBrokerRequest(broker_id=broker_id)
            response = await node.call(request, UnregisterBrokerResponse)
            check(response.error_code, response.error_message, f"broker {broker_id}")

        await self._asking.controller_one(ask, about=f"broker {broker_id}", timeout_s=timeout_s)


async def _describe(node: Connection, *, operations: bool, fenced: bool) -> ClusterDescription:
    request = DescribeClusterRequest(
        include_cluster_authorized_operations=operations, include_fenced_brokers=fenced
    )
    response = await node.call(request, DescribeClusterResponse)
    check(response.error_code, response.error_message, "the cluster")
    nodes = [
        ClusterNode(
            node=Node(told.broker_id, told.host, told.port, told.rack), is_fenced=told.is_fenced
        )
        for told in response.brokers
    ]
    return _cluster(
        response.cluster_id, response.controller_id, nodes, response.cluster_authorized_operations
    )


async def _describe_by_metadata(node: Connection, *, operations: bool) -> ClusterDescription:
    request = MetadataRequest(
        topics=[],
        allow_auto_topic_creation=False,
        include_cluster_authorized_operations=operations,
    )
    response = await node.call(request, MetadataResponse)
    nodes = [
        ClusterNode(node=Node(told.node_id, told.host, told.port, told.rack))
        for told in response.brokers
    ]
    return _cluster(
        response.cluster_id, response.controller_id, nodes, response.cluster_authorized_operations
    )


def _cluster(
    cluster_id: str | None, controller_id: int, nodes: list[ClusterNode], operations: int
) -> ClusterDescription:
    by_id = {each.node.node_id: each.node for each in nodes}
    return ClusterDescription(
        cluster_id=cluster_id,
        controller=by_id.get(controller_id) if controller_id != NO_LEADER else None,
        nodes=tuple(sorted(nodes, key=lambda each: each.node.node_id)),
        authorized_operations=operations_of(operations),
    )


def _features(response: ApiVersionsResponse) -> dict[str, FeatureDescription]:
    supported = {each.name: each for each in response.supported_features}
    levels = {each.name: each.max_version_level for each in response.finalized_features}
    has_epoch = response.finalized_features_epoch >= 0
    return {
        name: FeatureDescription(
            name=name,
            min_level=supported[name].min_version if name in supported else None,
            max_level=supported[name].max_version if name in supported else None,
            level=levels.get(name, 0),
            epoch=response.finalized_features_epoch if has_epoch else None,
        )
        for name in sorted(supported.keys() | levels.keys())
    }


def _update(name: str, update: FeatureUpdate, version: int) -> FeatureUpdateKey:
    if version >= _KINDS_OF_DOWNGRADE_SINCE:
        return FeatureUpdateKey(
            feature=name, max_version_level=update.level, upgrade_type=update.how
        )
    return FeatureUpdateKey(
        feature=name,
        max_version_level=update.level,
        allow_downgrade=update.how is not FeatureUpgrade.UPGRADE,
    )
