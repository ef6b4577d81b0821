"""A whole broker in memory for each test, and consumers of its groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.group_cluster import GroupCluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[GroupCluster]:
    """Sessions of two seconds where a test does not say otherwise."""
    made = GroupCluster(
        tmp_path,
        group_min_session_timeout_ms="100",
        group_consumer_min_session_timeout_ms="2000",
        group_consumer_session_timeout_ms="2000",
        group_consumer_min_heartbeat_interval_ms="200",
        group_consumer_heartbeat_interval_ms="500",
    )
    yield made
    made.close()
