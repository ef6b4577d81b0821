"""Batches as clients send them: the same bytes whenever they are sent."""

from __future__ import annotations

from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from tests.crash.promises import Sender, Sent
from tests.unit.log.support import NOW_MS


def plain_bytes(values: list[bytes], key: bytes | None = None) -> bytearray:
    """A batch of nobody in particular."""
    return build_batch([Record(timestamp=NOW_MS, key=key, value=value) for value in values])


def sent_bytes(sender: Sender, sent: Sent) -> bytearray:
    """A batch of an idempotent producer."""
    values = [b"%d/%d" % (sender.producer_id, sent.base_sequence + n) for n in range(sent.records)]
    return build_batch(
        [Record(timestamp=NOW_MS, key=None, value=value) for value in values],
        producer_id=sender.producer_id,
        producer_epoch=sender.epoch,
        base_sequence=sent.base_sequence,
    )
