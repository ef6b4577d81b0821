"""ApiVersions (key 18): what the broker speaks; the first request of a connection.

Versions: 3 flexible, client software and features (KIP-511, KIP-584) · 4 lets a feature's lowest
version be 0 (KAFKA-17011) · 5 the cluster and node that the client means (KIP-1242).
An unknown version is answered in version 0 with UNSUPPORTED_VERSION and the range of this API.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
    Int16,
    Int32,
    Int64,
    Message,
    NullableString,
    String,
    Structure,
    ignorable,
    message,
    since,
    tagged,
)


@message(key=18, versions="0-5", flexible="3+")
class ApiVersionsRequest(Message, kw_only=True):
    """Who the client is."""

    client_software_name: Annotated[String, since(3), ignorable] = ""
    client_software_version: Annotated[String, since(3), ignorable] = ""
    cluster_id: Annotated[NullableString, since(5), ignorable] = None
    node_id: Annotated[Int32, since(5), ignorable] = -1


@message(key=18, versions="0-5", flexible="3+")
class ApiVersionsResponse(Message, kw_only=True):
    """APIs and features. UNSUPPORTED_VERSION, REBOOTSTRAP_REQUIRED."""

    error_code: Int16 = 0
    api_keys: Array[ApiVersion] = []
    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    supported_features: Annotated[Array[SupportedFeatureKey], since(3), tagged(0), ignorable] = []
    """Until version 3 without those whose lowest level is 0."""
    finalized_features_epoch: Annotated[Int64, since(3), tagged(1), ignorable] = -1
    """-1 where it is not known."""
    finalized_features: Annotated[Array[FinalizedFeatureKey], since(3), tagged(2), ignorable] = []
    zk_migration_ready: Annotated[Bool, since(3), tagged(3), ignorable] = False


class ApiVersion(Structure, kw_only=True):
    """The versions of one API, both ends included."""

    api_key: Int16
    min_version: Int16
    max_version: Int16


class SupportedFeatureKey(Structure, kw_only=True):
    """A feature's levels that this broker can run."""

    name: String
    min_version: Int16
    max_version: Int16


class FinalizedFeatureKey(Structure, kw_only=True):
    """The level at which the cluster runs a feature."""

    name: String
    max_version_level: Int16
    min_version_level: Int16
