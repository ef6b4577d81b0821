"""From what people name to the partitions that there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.typed_texts import typed_partitions

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin

_MISSING_TOLD: Final = 3


async def partitions_of(
    admin: Admin, texts: Iterable[str], option: str, *, internal: bool = False
) -> list[TopicPartition]:
    """Those that were named, in order; without any name, of all topics.

    Raises BadParameter for a text that names none, RefusedError for a topic that is not there,
    UserError for such a partition.
    """
    typed = [typed_partitions(text, option) for text in texts]
    names = list(dict.fromkeys(each.topic for each in typed))
    if not typed:
        names = [topic.name for topic in await admin.topics.list(internal=internal)]
    described = (await admin.topics.describe(*names)).all() if names else {}
    there = {name: [each.index for each in told.partitions] for name, told in described.items()}
    asked = [(each.topic, each.partitions) for each in typed] or [(name, None) for name in names]
    found = set[TopicPartition]()
    for name, numbers in asked:
        # Whoever is asked about a partition waits for it: it may be as new as what is known is old.
        check_there(name, numbers or (), there[name])
        found |= {TopicPartition(name, i) for i in (there[name] if numbers is None else numbers)}
    return sorted(found)


def check_there(topic: str, wanted: Iterable[int], there: Collection[int]) -> None:
    """Raises UserError for partitions that the topic does not have, and tells which it has."""
    if missing := sorted({*wanted}.difference(there)):
        told = ", ".join(map(str, missing[:_MISSING_TOLD]))
        left = len(missing) - _MISSING_TOLD
        more = f" and {left} more" if left > 0 else ""
        raise UserError(f"{topic} has no partition {told}{more}, only {span_text(len(there))}")


def span_text(count: int) -> str:
    """The numbers of so many partitions."""
    return "0" if count == 1 else f"0 to {count - 1}"
