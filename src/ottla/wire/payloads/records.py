"""One record of a coordinator's log, decoded: what cores decide and replay."""

from __future__ import annotations

from typing import NamedTuple

from ottla.wire.payloads.coordinator import encode_key, encode_value
from ottla.wire.records.record import Record
from ottla.wire.schema import Payload


class CoordinatorRecord(NamedTuple):
    """`value` None takes back what the key says. `version` None writes the newest."""

    key: Payload
    value: Payload | None
    version: int | None = None

    def encoded(self, timestamp_ms: int) -> Record:
        """As it stands in the log."""
        value = None if self.value is None else encode_value(self.value, self.version)
        return Record(timestamp=timestamp_ms, key=encode_key(self.key), value=value)
