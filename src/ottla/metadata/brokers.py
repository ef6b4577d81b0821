"""Brokers join, serve, stop and fail: their registration, and what it means for partitions.

A broker registers fenced, catches up with the metadata log, and is unfenced; only then may it
lead. Its epoch is the offset of its registration, so that every incarnation has a greater one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.metadata.decision import Decision
from ottla.metadata.election_rules import election_rules
from ottla.metadata.features import SUPPORTED
from ottla.metadata.image import (
    BrokerImage,
    EndpointImage,
    FeatureRange,
    MetadataImage,
    PartitionImage,
)
from ottla.metadata.leadership import ElectionRules, after_leaving, after_return
from ottla.metadata.partition_change import difference
from ottla.metadata.replay import FENCED, UNFENCED
from ottla.metadata.snapshot import registration_record
from ottla.settings.broker import BrokerSettings
from ottla.wire.payloads.metadata import BrokerRegistrationChangeRecord, UnregisterBrokerRecord
from ottla.wire.schema import Payload

_DIRECTORY_IDS_RESERVED = 100
"""The first hundred ids mean a state and not a directory (KIP-858)."""


class Registration(Struct, frozen=True, kw_only=True):
    """What a broker process says of itself.

    `previous_epoch` is the epoch under which it stopped cleanly, -1 for none: a broker that does
    not know the epoch of its last incarnation may have lost records with it (KIP-966).
    """

    node_id: int
    cluster_id: str
    incarnation_id: bytes
    endpoints: dict[str, EndpointImage]
    log_directories: tuple[bytes, ...]
    rack: str | None = None
    features: Mapping[str, FeatureRange] = field(default_factory=lambda: SUPPORTED)
    previous_epoch: int = -1


class Registered(Struct, frozen=True):
    """The answer to a registration."""

    error_code: ErrorCode
    broker_epoch: int = -1
    error_message: str | None = None


def decide_register_broker(
    image: MetadataImage,
    registration: Registration,
    *,
    settings: BrokerSettings,
    other_is_alive: bool = False,
) -> Decision[Registered]:
    """Register an incarnation, fenced, in the place of an earlier one.

    `other_is_alive` says that another incarnation still holds the node's session.
    The record must be appended at `image.next_offset`, which becomes the broker's epoch.
    """
    present = image.brokers.get(registration.node_id)
    if present is not None and present.incarnation_id == registration.incarnation_id:
        return Decision((), Registered(ErrorCode.NONE, present.epoch))
    refusal = _refusal(image, registration, present if other_is_alive else None)
    if refusal is not None:
        return Decision((), refusal)
    epoch = image.next_offset
    broker = BrokerImage(
        node_id=registration.node_id,
        epoch=epoch,
        incarnation_id=registration.incarnation_id,
        endpoints=registration.endpoints,
        rack=registration.rack,
        features=registration.features,
        log_directories=registration.log_directories,
    )
    unclean = present is not None and present.epoch != registration.previous_epoch
    left = _leaving_changes(image, broker.node_id, settings, unclean=unclean) if present else ()
    return Decision((registration_record(broker), *left), Registered(ErrorCode.NONE, epoch))


def _refusal(
    image: MetadataImage, registration: Registration, alive: BrokerImage | None
) -> Registered | None:
    if registration.cluster_id != image.cluster_id:
        return Registered(
            ErrorCode.INCONSISTENT_CLUSTER_ID,
            error_message=f"this is the cluster {image.cluster_id}, and the broker belongs to "
            f"{registration.cluster_id}",
        )
    if alive is not None:
        return Registered(
            ErrorCode.DUPLICATE_BROKER_REGISTRATION,
            error_message=f"a broker runs under node id {alive.node_id} already: stop it, or give "
            "this one an id of its own",
        )
    for name, level in image.features.items():
        supported = registration.features.get(name, FeatureRange(0, 0))
        if not supported.min <= level <= supported.max:
            return Registered(
                ErrorCode.UNSUPPORTED_VERSION,
                error_message=f"the cluster runs {name} at level {level}, and this broker "
                f"knows levels {supported.min} to {supported.max}",
            )
    return _directory_refusal(image, registration)


def _directory_refusal(image: MetadataImage, registration: Registration) -> Registered | None:
    """Every directory has an id of its own, in the whole cluster."""
    directories = registration.log_directories
    reason = None
    if not directories:
        reason = "a broker has at least one data directory"
    elif any(
        int.from_bytes(directory, "big") < _DIRECTORY_IDS_RESERVED for directory in directories
    ):
        reason = "the id of a data directory is one of the first hundred, which have other meanings"
    elif len(set(directories)) < len(directories):
        reason = "two data directories of the broker have the same id"
    else:
        for other in image.brokers.values():
            shared = set(other.log_directories) & set(directories)
            if other.node_id != registration.node_id and shared:
                reason = f"broker {other.node_id} has a data directory of the same id"
    if reason is None:
        return None
    return Registered(ErrorCode.INVALID_REGISTRATION, error_message=reason)


def decide_unfence_broker(
    image: MetadataImage, node_id: int, broker_epoch: int, *, settings: BrokerSettings
) -> Decision[ErrorCode]:
    """Let a broker that has caught up serve, and lead where nobody does."""
    broker = image.brokers.get(node_id)
    if broker is None or broker.epoch != broker_epoch:
        return Decision((), ErrorCode.STALE_BROKER_EPOCH)
    if not broker.fenced:
        return Decision((), ErrorCode.NONE)
    change = BrokerRegistrationChangeRecord(
        broker_id=node_id, broker_epoch=broker_epoch, fenced=UNFENCED
    )
    returned = replace(broker, fenced=False)
    brokers = {**image.brokers, node_id: returned}
    changes = _changes(
        replace(image, brokers=brokers),
        settings,
        concerns=lambda partition: not partition.has_leader and node_id in partition.replicas,
        state=after_return,
    )
    return Decision((change, *changes), ErrorCode.NONE)


def decide_fence_broker(
    image: MetadataImage, node_id: int, *, settings: BrokerSettings
) -> Decision[None]:
    """Take a broker whose session is over out of service; its partitions get other leaders."""
    broker = image.brokers.get(node_id)
    if broker is None or broker.fenced:
        return Decision((), None)
    change = BrokerRegistrationChangeRecord(
        broker_id=node_id, broker_epoch=broker.epoch, fenced=FENCED
    )
    left = _leaving_changes(image, node_id, settings, unclean=False)
    return Decision((change, *left), None)


def decide_controlled_shutdown(
    image: MetadataImage, node_id: int, broker_epoch: int, *, settings: BrokerSettings
) -> Decision[ErrorCode]:
    """Move leadership away from a broker that wants to stop. It is fenced once it has stopped."""
    broker = image.brokers.get(node_id)
    if broker is None or broker.epoch != broker_epoch:
        return Decision((), ErrorCode.STALE_BROKER_EPOCH)
    if broker.in_controlled_shutdown:
        return Decision((), ErrorCode.NONE)
    change = BrokerRegistrationChangeRecord(
        broker_id=node_id, broker_epoch=broker_epoch, in_controlled_shutdown=1
    )
    left = _leaving_changes(image, node_id, settings, unclean=False)
    return Decision((change, *left), ErrorCode.NONE)


def decide_unregister_broker(
    image: MetadataImage, node_id: int, *, settings: BrokerSettings, is_alive: bool = False
) -> Decision[ErrorCode]:
    """Forget a broker for good, unless it runs: it would go on without leading anything."""
    broker = image.brokers.get(node_id)
    if broker is None:
        return Decision((), ErrorCode.BROKER_ID_NOT_REGISTERED)
    if is_alive:
        return Decision((), ErrorCode.INVALID_REQUEST)
    left = _leaving_changes(image, node_id, settings, unclean=False)
    record = UnregisterBrokerRecord(broker_id=node_id, broker_epoch=broker.epoch)
    return Decision((*left, record), ErrorCode.NONE)


def _leaving_changes(
    image: MetadataImage, node_id: int, settings: BrokerSettings, *, unclean: bool
) -> tuple[Payload, ...]:
    """What happens to the partitions that a broker is in sync with, or could lead."""
    brokers = dict(image.brokers)
    brokers[node_id] = replace(brokers[node_id], fenced=True)
    return tuple(
        _changes(
            replace(image, brokers=brokers),
            settings,
            concerns=lambda partition: (
                node_id in partition.isr or (unclean and node_id in partition.elr)
            ),
            state=lambda partition, rules: after_leaving(
                partition, node_id, rules, unclean=unclean
            ),
        )
    )


def _changes(
    image: MetadataImage,
    settings: BrokerSettings,
    *,
    concerns: Callable[[PartitionImage], bool],
    state: Callable[[PartitionImage, ElectionRules], PartitionImage],
) -> Iterator[Payload]:
    """The change of every partition that is concerned."""
    rules_of = election_rules(image, settings)
    for topic in image.topics_by_id.values():
        rules = None
        for index, partition in enumerate(topic.partitions):
            if concerns(partition):
                rules = rules or rules_of(topic)
                change = difference(topic.topic_id, index, partition, state(partition, rules))
                if change is not None:
                    yield change
