"""What a scenario has promised at one moment: the other half of every check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ottla.base.ids import TopicPartition, Uuid
from ottla.log.config import LogConfig

PATH = "disk/data"
"""The data directory."""


class Batch(NamedTuple):
    """A batch as it was written; `next_offset` is exclusive."""

    base_offset: int
    next_offset: int
    data: bytes


class Sent(NamedTuple):
    """A batch of an idempotent producer."""

    base_sequence: int
    records: int


class Sender(NamedTuple):
    """An idempotent producer; what is not answered it will send again, in order."""

    producer_id: int
    epoch: int
    next_sequence: int = 0
    answered: tuple[Sent, ...] = ()
    unanswered: tuple[Sent, ...] = ()


class Promised(NamedTuple):
    """What must hold of one partition, if the world ends here.

    A killed process leaves `batches`, and perhaps a beginning of `under_way` behind them. A power
    loss may take from their end, but nothing below `kept_end`. The log start is found between
    `start_min`, which was written down, and `start_max`. The recovery point that is written down is
    at most `point_max`. `cuts` counts what changed the past. Below `cleaned_end` only the latest of
    each key must be there.
    """

    topic_id: Uuid
    config: LogConfig
    batches: tuple[Batch, ...] = ()
    under_way: tuple[Batch, ...] = ()
    kept_end: int = 0
    start_min: int = 0
    start_max: int = 0
    point_max: int = 0
    cuts: int = 0
    cleaned_end: int = 0
    senders: tuple[Sender, ...] = ()

    @property
    def end(self) -> int:
        """Where the next batch goes."""
        return self.batches[-1].next_offset if self.batches else self.kept_end

    @property
    def everything(self) -> tuple[Batch, ...]:
        return self.batches + self.under_way

    def after_power_loss(self) -> tuple[object, ...]:
        """What of it matters to a power loss: of equal ones, a state needs one look."""
        return (
            self.topic_id,
            self.kept_end,
            self.start_min,
            self.point_max,
            self.cuts,
            self.cleaned_end,
            self.senders,
        )


Promises = Mapping[TopicPartition, Promised]
