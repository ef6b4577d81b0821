"""Clusters of scripted nodes for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.scripted_cluster import ScriptedCluster

MakeNodes = Callable[..., ScriptedCluster]


@pytest.fixture
def make_nodes() -> Iterator[MakeNodes]:
    """Makes clusters, and ends them with the test."""
    made: list[ScriptedCluster] = []

    def make(*args: object, **options: object) -> ScriptedCluster:
        nodes = ScriptedCluster(*args, **options)  # type: ignore[arg-type]  # the caller's words
        made.append(nodes)
        return nodes

    yield make
    for nodes in made:
        nodes.close()


@pytest.fixture
def nodes(make_nodes: MakeNodes) -> ScriptedCluster:
    """Three nodes of today's versions."""
    return make_nodes()
