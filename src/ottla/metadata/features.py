"""Features of the cluster and their levels (KIP-584, KIP-1022)."""

from __future__ import annotations

from ottla.metadata.decision import Decision
from ottla.metadata.image import FeatureRange, MetadataImage, ResourceType
from ottla.metadata.snapshot import METADATA_VERSION
from ottla.wire.payloads.metadata import (
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
)
from ottla.wire.schema import Payload

GROUP_VERSION = "group.version"
ELIGIBLE_LEADER_REPLICAS = "eligible.leader.replicas.version"
TRANSACTION_VERSION = "transaction.version"

SUPPORTED = {
    METADATA_VERSION: FeatureRange(7, 30),
    "kraft.version": FeatureRange(0, 1),
    ELIGIBLE_LEADER_REPLICAS: FeatureRange(0, 1),
    GROUP_VERSION: FeatureRange(0, 1),
    "share.version": FeatureRange(0, 1),
    "streams.version": FeatureRange(0, 1),
    TRANSACTION_VERSION: FeatureRange(0, 2),
}
"""What a node of this release can run: the levels of Apache Kafka 4.3."""

FINALIZED = {
    METADATA_VERSION: 30,
    ELIGIBLE_LEADER_REPLICAS: 1,
    GROUP_VERSION: 1,
    "share.version": 1,
    "streams.version": 1,
    TRANSACTION_VERSION: 2,
}
"""What a new cluster runs, the metadata version first: it says how to read the log."""

_MIN_INSYNC_REPLICAS = "min.insync.replicas"


def decide_bootstrap(image: MetadataImage, *, min_insync_replicas: int = 1) -> Decision[None]:
    """The first records of a new cluster; none where the log has features already.

    Eligible leader replicas want `min.insync.replicas` to be the same on every controller, so the
    cluster's own value is written down (KIP-966).
    """
    if image.features:
        return Decision((), None)
    levels: list[Payload] = [
        FeatureLevelRecord(name=name, feature_level=level) for name, level in FINALIZED.items()
    ]
    records = (
        BeginTransactionRecord(name="Bootstrap records"),
        *levels,
        ConfigRecord(
            resource_type=ResourceType.BROKER,
            resource_name="",
            name=_MIN_INSYNC_REPLICAS,
            value=str(min_insync_replicas),
        ),
        EndTransactionRecord(),
    )
    return Decision(records, None)


def unsupported_features(image: MetadataImage) -> dict[str, int]:
    """Finalized features that a node of this release cannot run; it must not join."""
    return {
        name: level
        for name, level in image.features.items()
        if not _within(SUPPORTED.get(name), level)
    }


def elr_enabled(image: MetadataImage) -> bool:
    """Whether eligible leader replicas are kept."""
    return image.features.get(ELIGIBLE_LEADER_REPLICAS, 0) >= 1


def _within(levels: FeatureRange | None, level: int) -> bool:
    return levels is not None and levels.min <= level <= levels.max
