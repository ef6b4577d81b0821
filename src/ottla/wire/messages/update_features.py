"""UpdateFeatures (key 57): the levels at which a cluster runs its features (KIP-584).

Versions: 1 dry runs and kinds of downgrades · 2 all or nothing.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
    Int8,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    ignorable,
    message,
    since,
    until,
)


@message(key=57, versions="0-2", flexible="0+")
class UpdateFeaturesRequest(Message, kw_only=True):
    """Features and their new levels."""

    timeout_ms: Int32 = 60000
    feature_updates: Array[FeatureUpdateKey]
    validate_only: Annotated[Bool, since(1)] = False


class FeatureUpdateKey(Structure, kw_only=True):
    """One feature."""

    feature: String
    max_version_level: Int16
    """Below 1 to switch it off."""
    allow_downgrade: Annotated[Bool, until(0)] = False
    upgrade_type: Annotated[Int8, since(1)] = 1
    """1 only up, 2 down where nothing is lost, 3 down in any case."""


@message(key=57, versions="0-2", flexible="0+")
class UpdateFeaturesResponse(Message, kw_only=True):
    """Whether it was done; until version 1, for each.

    INVALID_UPDATE_VERSION, FEATURE_UPDATE_FAILED, CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
    results: Annotated[Array[UpdatableFeatureResult], until(1), ignorable] = []


class UpdatableFeatureResult(Structure, kw_only=True):
    """What became of one feature."""

    feature: String
    error_code: Int16 = 0
    error_message: NullableString = None
