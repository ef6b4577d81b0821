"""Clusters that hold logs, for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ottla.client.consumer import Consumer
from tests.support.consumer_cluster import ConsumerCluster

MakeCluster = Callable[..., ConsumerCluster]


@pytest.fixture
def make_cluster() -> Iterator[MakeCluster]:
    """Makes clusters, and ends them and their consumers with the test."""
    made: list[ConsumerCluster] = []
    consumers: list[tuple[ConsumerCluster, Consumer]] = []

    def make(*args: Any, **options: Any) -> ConsumerCluster:
        cluster = ConsumerCluster(*args, **options)
        made.append(cluster)
        begin = cluster.consumer

        def consumer(**settings: Any) -> Consumer:
            consumers.append((cluster, begin(**settings)))
            return consumers[-1][1]

        cluster.consumer = consumer  # type: ignore[method-assign]  # to close what it makes
        return cluster

    yield make
    for cluster, consumer in consumers:
        cluster.run(consumer.close())
    for cluster in made:
        cluster.close()


@pytest.fixture
def cluster(make_cluster: MakeCluster) -> ConsumerCluster:
    """Three nodes of today's versions."""
    return make_cluster()
