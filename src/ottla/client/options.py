"""What a user may set of a cluster's line: Kafka's names and defaults, with their units."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from ottla.client.connector import Connector, connect_tcp

DEFAULT_CLIENT_ID: Final = "ottla"


class ClusterOptions(Struct, frozen=True, kw_only=True):
    """Kafka's client settings of the same names, with underscores."""

    client_id: str = DEFAULT_CLIENT_ID
    connector: Connector = connect_tcp
    """How streams come about: `MemoryBroker.connector` for a broker without sockets, in tests."""
    request_timeout_ms: int = 30_000
    """How long a node may owe its next answer; then its connection is given up."""
    default_api_timeout_ms: int = 60_000
    """How long a lookup tries where its caller does not say."""
    socket_connection_setup_timeout_ms: int = 10_000
    """Connecting and agreeing on versions, together."""
    connections_max_idle_ms: int = 540_000
    """Less than a broker's own ten minutes: whoever is asked has not just hung up."""
    reconnect_backoff_ms: int = 50
    reconnect_backoff_max_ms: int = 1_000
    retry_backoff_ms: int = 100
    retry_backoff_max_ms: int = 1_000
    metadata_max_age_ms: int = 300_000
    metadata_max_idle_ms: int = 300_000
    """Topics that nobody has asked for so long are not refreshed any more."""
    metadata_recovery_strategy: Literal["rebootstrap", "none"] = "rebootstrap"
    """Whether the first addresses are tried again when no known node answers (KIP-899)."""
    metadata_recovery_rebootstrap_trigger_ms: int = 300_000
    """How long known nodes may fail to tell the metadata before that (KIP-1102)."""
