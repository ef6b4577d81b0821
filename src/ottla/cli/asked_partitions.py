"""From what people name to the partitions that there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ottla.base.ids import TopicPartition
from ottla.cli.typed_texts import typed_partitions

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin


async def partitions_of(
    admin: Admin, texts: Iterable[str], option: str, *, internal: bool = False
) -> list[TopicPartition]:
    """Those that were named, in order; without any name, of all topics.

    Raises BadParameter for a text that names none, RefusedError for a topic that is not there.
    """
    typed = [typed_partitions(text, option) for text in texts]
    names = [each.topic for each in typed if each.partitions is None]
    if not typed:
        names = [topic.name for topic in await admin.topics.list(internal=internal)]
    described = (await admin.topics.describe(*names)).all() if names else {}
    whole = [
        TopicPartition(name, partition.index)
        for name in names
        for partition in described[name].partitions
    ]
    single = [TopicPartition(each.topic, i) for each in typed for i in each.partitions or ()]
    return sorted({*whole, *single})
