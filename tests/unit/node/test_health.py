"""Whether a node lives and whether it is ready, from its start to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from ottla.node.health import OK, UNAVAILABLE, Health, Verdict


@pytest.fixture
def lost() -> Iterator[asyncio.Future[str]]:
    loop = asyncio.new_event_loop()
    yield asyncio.Future(loop=loop)
    loop.close()


def told(verdict: Verdict) -> tuple[int, dict[str, object]]:
    return verdict.status, json.loads(verdict.body)


def test_a_node_that_starts_lives_and_is_not_ready() -> None:
    health = Health()
    assert told(health.live()) == (OK, {"live": True})
    assert told(health.ready()) == (
        UNAVAILABLE,
        {"ready": False, "reasons": ["the node is starting"]},
    )


def test_a_node_that_serves_is_ready_once_its_coordinators_are_read(
    lost: asyncio.Future[str],
) -> None:
    loading = 3
    health = Health()
    health.serving(lost, lambda: loading)
    assert health.ready().reasons == ("3 partitions of coordinators are being read",)
    loading = 0
    assert told(health.ready()) == (OK, {"ready": True})


def test_a_node_that_cannot_go_on_neither_lives_nor_is_ready(lost: asyncio.Future[str]) -> None:
    health = Health()
    health.serving(lost, lambda: 0)
    lost.set_result("the last disk has failed")
    for verdict in (health.live(), health.ready()):
        assert verdict.status == UNAVAILABLE
        assert verdict.reasons == ("the last disk has failed",)


def test_a_node_that_stops_lives_and_wants_no_clients(lost: asyncio.Future[str]) -> None:
    health = Health()
    health.serving(lost, lambda: 0)
    health.stopping()
    assert health.live().status == OK
    assert health.ready().reasons == ("the node is stopping",)
