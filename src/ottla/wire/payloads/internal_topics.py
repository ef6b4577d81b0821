"""Which coordinator's records lie in which topic; importing this knows them all."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ottla.wire.payloads import (  # noqa: F401 # each registers its types
    consumer_groups,
    group_metadata,
    offset_commits,
    share_groups,
    share_state,
    streams_groups,
    transaction_log,
)
from ottla.wire.payloads.coordinator import (
    GROUP_RECORDS,
    SHARE_STATE_RECORDS,
    TRANSACTION_RECORDS,
    RecordTypes,
)

CONSUMER_OFFSETS: Final = "__consumer_offsets"
TRANSACTION_STATE: Final = "__transaction_state"
SHARE_GROUP_STATE: Final = "__share_group_state"

COORDINATOR_TOPICS: Final = MappingProxyType[str, RecordTypes](
    {
        CONSUMER_OFFSETS: GROUP_RECORDS,
        TRANSACTION_STATE: TRANSACTION_RECORDS,
        SHARE_GROUP_STATE: SHARE_STATE_RECORDS,
    }
)
