"""The topic of a measurement: one that is named, or one that is made for it and goes with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ottla.cli.options import ClusterOptions


@asynccontextmanager
async def measured_topic(
    cluster: ClusterOptions, name: str | None, *, partitions: int
) -> AsyncIterator[str]:
    """The name. Raises UserError where it cannot be made, or is not there."""
    import secrets

    from ottla.cli.cluster import connected_admin
    from ottla.client.admin.topics import NewTopic

    async with connected_admin(cluster) as admin:
        if name is not None:
            (await admin.topics.describe(name)).all()
            yield name
            return
        made = f"ottla-perf-{secrets.token_hex(4)}"
        (await admin.topics.create(NewTopic(name=made, partitions=partitions))).all()
        try:
            yield made
        finally:
            (await admin.topics.delete(made)).all()
