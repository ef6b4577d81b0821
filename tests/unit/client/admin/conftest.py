"""Clusters to administer, for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.admin_cluster import AdminCluster

MakeCluster = Callable[..., AdminCluster]


@pytest.fixture
def make_cluster() -> Iterator[MakeCluster]:
    """Makes clusters, and ends them with the test."""
    made: list[AdminCluster] = []

    def make(*args: Any, **options: Any) -> AdminCluster:
        cluster = AdminCluster(*args, **options)
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.close()
