"""Scripted nodes that are administered: what each answers is what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ottla.client.admin import Admin
from ottla.wire.schema import Message
from ottla.wire.versions import VersionRange
from tests.support.scripted_broker import ScriptedBroker
from tests.support.scripted_cluster import ScriptedCluster

NodeAnswer = Callable[[int, Any], Message | None]
"""Of a node to a request; None to hang up instead."""


class AdminCluster(ScriptedCluster):
    """Nodes 1 to n that answer `answers`, beside metadata and coordinators."""

    def __init__(
        self,
        answers: Mapping[Any, NodeAnswer],
        nodes: int = 3,
        *,
        versions: Mapping[Any, VersionRange] = {},
        lacking: Mapping[int, set[Any]] = {},
    ) -> None:
        """`lacking` are, by node, the requests that it does not take."""
        super().__init__(nodes, versions=versions)
        for node_id, old in list(self.brokers.items()):
            own = {
                kind: partial(answer, node_id)
                for kind, answer in answers.items()
                if kind not in lacking.get(node_id, set())
            }
            self.brokers[node_id] = ScriptedBroker(
                {**old._answers, **own}, versions=versions, api_versions=old._api_versions
            )
        self.listen()

    def admin(self, **options: Any) -> Admin:
        """One that is started on a client of its own."""
        admin = Admin("unused:1")
        self.loop.finish(admin.start_on(self.client(**options)))
        return admin

    def nodes_asked(self, kind: Any) -> list[int]:
        """Who was asked this, once for each request, by node."""
        return [
            node_id
            for node_id, broker in self.brokers.items()
            for request, _ in broker.asked
            if isinstance(request, kind)
        ]
