"""`admin.cluster` for plain calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ottla.blocking.client import Runner
from ottla.client.admin.cluster import (
    ApiRange,
    ClusterDescription,
    FeatureDescription,
    FeatureUpdate,
)
from ottla.client.admin.cluster import ClusterItself as AsyncioClusterItself
from ottla.client.admin.outcomes import Outcomes
from ottla.client.admin.quorum import QuorumDescription


class ClusterItself:
    """`admin.cluster`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioClusterItself) -> None:
        self._run = run
        self._inner = inner

    def describe(
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
        return self._run(
            lambda: self._inner.describe(
                authorized_operations=authorized_operations, fenced=fenced, timeout_s=timeout_s
            )
        )

    def quorum(self, *, timeout_s: float | None = None) -> QuorumDescription:
        """The voters and observers of the metadata log (Kafka 3.3, without ZooKeeper)."""
        return self._run(lambda: self._inner.quorum(timeout_s=timeout_s))

    def features(self, *, timeout_s: float | None = None) -> Mapping[str, FeatureDescription]:
        """Features by name (Kafka 2.7)."""
        return self._run(lambda: self._inner.features(timeout_s=timeout_s))

    def api_versions(
        self, brokers: Collection[int] | None = None, *, timeout_s: float | None = None
    ) -> Outcomes[int, Mapping[int, ApiRange]]:
        """The APIs that these brokers take, or all; by broker, then by the API's key."""
        return self._run(lambda: self._inner.api_versions(brokers, timeout_s=timeout_s))

    def update_features(
        self,
        updates: Mapping[str, FeatureUpdate | int],
        *,
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, None]:
        """Let the cluster run features at other levels; by name. A number alone is an upgrade.

        From Kafka 4.0 on all are changed or none. `validate_only` needs Kafka 3.3.
        """
        return self._run(
            lambda: self._inner.update_features(
                updates, validate_only=validate_only, timeout_s=timeout_s
            )
        )

    def unregister_broker(self, broker_id: int, *, timeout_s: float | None = None) -> None:
        """Forget a broker that is gone for good (Kafka 2.8, without ZooKeeper)."""
        return self._run(lambda: self._inner.unregister_broker(broker_id, timeout_s=timeout_s))
