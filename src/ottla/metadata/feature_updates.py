"""New levels of features (UpdateFeatures, KIP-584): all of a request's or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Final

from msgspec import Struct

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.metadata.configs import cluster_topic_settings
from ottla.metadata.decision import Decision
from ottla.metadata.features import ELIGIBLE_LEADER_REPLICAS, SUPPORTED, elr_enabled
from ottla.metadata.image import ALL_BROKERS, FeatureRange, MetadataImage, ResourceType
from ottla.metadata.partition_change import difference, without_elr
from ottla.metadata.snapshot import METADATA_VERSION
from ottla.settings import topic as topic_table
from ottla.settings.broker import BrokerSettings
from ottla.wire.messages.update_features import (
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from ottla.wire.payloads.metadata import ConfigRecord, FeatureLevelRecord
from ottla.wire.schema import Payload

KRAFT_VERSION: Final = "kraft.version"
"""Not in the metadata's records: the quorum keeps it, beside its voters."""

METADATA_CHANGES: Final = frozenset({8, 11, 13, 14, 15, 17, 23, 30})
"""Levels of `metadata.version` that brought new records or fields: nothing goes back below one."""

DEPENDS_ON: Final = {(ELIGIBLE_LEADER_REPLICAS, 1): (METADATA_VERSION, 23)}
"""Levels of features, and what each needs another feature to run at least."""

ONLY_A_FLAG: Final = range(1)
"""Versions that allow downgrades by a flag, which does not forbid an upgrade."""
RESULT_OF_EACH: Final = range(2)
"""Versions that answer for each feature; later ones for all."""


class FeaturesUpdated(Struct, frozen=True):
    """The answer, and whether it holds only once the voters are in the metadata log.

    That is the level 1 of `kraft.version`, which is no matter of the metadata's records.
    """

    response: UpdateFeaturesResponse
    moves_voters: bool = False


class Upgrade(IntEnum):
    """How a level may change, by the protocol's numbers."""

    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    UNSAFE_DOWNGRADE = 3


class _Update(Struct, frozen=True):
    """What is wanted of one feature; `how` is a number that may mean nothing."""

    name: str
    level: int
    how: int


def decide_update_features(
    image: MetadataImage,
    request: UpdateFeaturesRequest,
    *,
    version: int,
    kraft_version: int,
    settings: BrokerSettings,
) -> Decision[FeaturesUpdated]:
    """Change levels; the first that cannot be makes the whole fail."""
    present = {**image.features, KRAFT_VERSION: kraft_version}
    # A feature that is named twice gets the last level that is wanted of it.
    updates = {key.feature: _read(key, present, version) for key in request.feature_updates}
    try:
        for update in updates.values():
            _check(update, image, present, updates)
    except ProtocolError as refused:
        response = UpdateFeaturesResponse(error_code=refused.code, error_message=refused.message)
        return Decision((), FeaturesUpdated(response))
    response = _done(request, version)
    if request.validate_only:
        return Decision((), FeaturesUpdated(response))
    kraft = updates.pop(KRAFT_VERSION, None)
    moves_voters = kraft is not None and kraft.level > kraft_version
    records = tuple(_records(image, present, updates, settings))
    return Decision(records, FeaturesUpdated(response, moves_voters))


def _read(key: FeatureUpdateKey, present: Mapping[str, int], version: int) -> _Update:
    how = key.upgrade_type
    if version in ONLY_A_FLAG:
        goes_down = key.max_version_level < present.get(key.feature, 0)
        how = Upgrade.SAFE_DOWNGRADE if key.allow_downgrade and goes_down else Upgrade.UPGRADE
    return _Update(key.feature, key.max_version_level, how)


def _done(request: UpdateFeaturesRequest, version: int) -> UpdateFeaturesResponse:
    if version not in RESULT_OF_EACH:
        return UpdateFeaturesResponse()
    return UpdateFeaturesResponse(
        results=[UpdatableFeatureResult(feature=key.feature) for key in request.feature_updates]
    )


def _check(
    update: _Update,
    image: MetadataImage,
    present: Mapping[str, int],
    updates: Mapping[str, _Update],
) -> None:
    """Raises ProtocolError(INVALID_UPDATE_VERSION)."""
    if update.how not in tuple(Upgrade):
        raise _refused(update, f"there is no kind of upgrade {update.how}")
    if update.level < 0:
        raise _refused(update, "levels begin at 0, which switches a feature off")
    _check_supported(update, image)
    now = present.get(update.name, 0)
    if update.level < now and update.how == Upgrade.UPGRADE:
        raise _refused(update, f"it is {now} now: ask for a downgrade, safe or unsafe, to go back")
    if update.level > now and update.how != Upgrade.UPGRADE:
        raise _refused(update, f"it is {now} now, and a downgrade does not go up")
    if update.name == METADATA_VERSION:
        _check_metadata_version(update, now)
    elif update.name == KRAFT_VERSION:
        if update.level < now:
            raise _refused(update, "the voters are in the metadata log, and stay there")
    else:
        _check_dependency(update, present, updates)


def _check_supported(update: _Update, image: MetadataImage) -> None:
    if update.name not in SUPPORTED:
        raise _refused(update, f"there are {', '.join(SUPPORTED)}")
    supported = [("this release", SUPPORTED[update.name])]
    if update.name != KRAFT_VERSION:
        supported += [
            (f"broker {broker.node_id}", broker.features.get(update.name, FeatureRange(0, 0)))
            for broker in image.brokers.values()
        ]
    for who, levels in supported:
        if not levels.min <= update.level <= levels.max:
            raise _refused(update, f"{who} runs levels {levels.min} to {levels.max}")


def _check_metadata_version(update: _Update, now: int) -> None:
    lost = [level for level in METADATA_CHANGES if update.level < level <= now]
    if lost:
        raise _refused(
            update,
            f"it is {now} now, and metadata may have been written as of {max(lost)} that an older "
            "level cannot tell: no way back, safe or unsafe",
        )


def _check_dependency(
    update: _Update, present: Mapping[str, int], updates: Mapping[str, _Update]
) -> None:
    needed = DEPENDS_ON.get((update.name, update.level))
    if needed is None:
        return
    name, level = needed
    will_be = updates[name].level if name in updates else present.get(name, 0)
    if will_be < level:
        raise _refused(update, f"it needs {name} {level} or more, which is {will_be}")


def _refused(update: _Update, reason: str) -> ProtocolError:
    return ProtocolError(
        ErrorCode.INVALID_UPDATE_VERSION,
        f"no feature has changed, for {update.name} cannot be set to {update.level}: {reason}",
    )


def _records(
    image: MetadataImage,
    present: Mapping[str, int],
    updates: Mapping[str, _Update],
    settings: BrokerSettings,
) -> Iterator[Payload]:
    for update in updates.values():
        if update.level == present.get(update.name, 0):
            continue
        if update.name == ELIGIBLE_LEADER_REPLICAS and not elr_enabled(image):
            yield from _one_min_insync_replicas(image, settings)
            yield from _without_stale_elr(image)
        yield FeatureLevelRecord(name=update.name, feature_level=update.level)


def _one_min_insync_replicas(image: MetadataImage, settings: BrokerSettings) -> Iterator[Payload]:
    """Eligible leader replicas want the same value everywhere, and one that is written down."""
    name = topic_table.MIN_INSYNC_REPLICAS.name
    if name not in image.configs.get(ALL_BROKERS, {}):
        value = cluster_topic_settings(image, settings).values({})[name]
        yield _broker_config(ALL_BROKERS.name, str(value))
    for resource, texts in image.configs.items():
        if resource.type == ResourceType.BROKER and resource.name and name in texts:
            yield _broker_config(resource.name, None)


def _broker_config(broker: str, value: str | None) -> ConfigRecord:
    return ConfigRecord(
        resource_type=ResourceType.BROKER,
        resource_name=broker,
        name=topic_table.MIN_INSYNC_REPLICAS.name,
        value=value,
    )


def _without_stale_elr(image: MetadataImage) -> Iterator[Payload]:
    """Who was eligible when the feature was switched off may have missed what came since.

    Where nobody is in sync nothing came, and those who were eligible still are.
    """
    for topic in image.topics_by_id.values():
        for index, partition in enumerate(topic.partitions):
            if partition.isr and (partition.elr or partition.last_known_elr):
                change = difference(topic.topic_id, index, partition, without_elr(partition))
                if change is not None:
                    yield change
