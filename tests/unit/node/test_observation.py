"""A whole node over HTTP: its health while it starts, serves and stops, and all of its metrics."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ottla.base.errors import UserError
from ottla.broker.metrics.catalogue import CATALOGUE
from ottla.node.node import Node
from ottla.settings.broker import BrokerSettings
from ottla.transport.loop import run
from tests.support.scraping import Scraped

ON_REQUEST = {
    "ottla_requests_total",
    "ottla_request_duration_seconds",
    "ottla_refusals_total",
    "ottla_topic_",
    "ottla_partition_",
    "ottla_group_",
}
"""Prefixes of what has no series before somebody has done something."""


def settings_of(folder: Path, http: str = "localhost:0") -> BrokerSettings:
    return BrokerSettings(
        {
            "log.dirs": str(folder),
            "listeners": "PLAINTEXT://127.0.0.1:0",
            "ottla.http.listeners": http,
        }
    )


async def get(node: Node, path: str) -> tuple[int, str]:
    """Status and body."""
    assert node.observation is not None
    host, port = node.observation.addresses[0]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return int(head.split()[1]), body


def on_a_node(folder: Path, visit: Callable[[Node], Awaitable[None]]) -> None:
    async def visited() -> None:
        node = await Node.start(settings_of(folder))
        try:
            await visit(node)
        finally:
            await node.stop()

    run(visited())


def test_a_node_that_serves_lives_is_ready_and_tells_its_numbers(tmp_path: Path) -> None:
    async def look(node: Node) -> None:
        assert await get(node, "/health/live") == (200, '{"live": true}\n')
        assert await get(node, "/health/ready?verbose") == (200, '{"ready": true}\n')
        status, text = await get(node, "/metrics")
        found = Scraped(text)
        assert (status, found["ottla_ready"]) == (200, 1)
        assert found["ottla_directory_full", {"directory": str(tmp_path)}] == 0
        assert found["process_resident_memory_bytes"] > 0
        assert all(number == 0 for number in found.all("ottla_scrape_errors_total").values())

    on_a_node(tmp_path, look)


def test_every_metric_is_in_the_catalogue_with_its_kind_and_labels_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    async def look(node: Node) -> None:
        found = Scraped((await get(node, "/metrics"))[1])
        ours = {name: kind for name, kind in found.kinds.items() if name.startswith("ottla_")}
        assert ours.items() <= {name: str(each.kind) for name, each in CATALOGUE.items()}.items()
        for name in CATALOGUE.keys() - ours.keys():
            assert name.startswith(tuple(ON_REQUEST)), f"nobody tells {name}"
        for name, labels in found.labels.items():
            if name in CATALOGUE:
                assert labels - {"le"} == set(CATALOGUE[name].labels), name

    on_a_node(tmp_path, look)


def test_a_path_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    async def look(node: Node) -> None:
        assert (await get(node, "/"))[0] == 200
        status, body = await get(node, "/metric")
        assert status == 404
        assert "/metrics" in body

    on_a_node(tmp_path, look)


def test_a_node_that_stops_says_so_until_it_is_gone(tmp_path: Path) -> None:
    async def look() -> None:
        node = await Node.start(settings_of(tmp_path))
        answers: list[tuple[int, str]] = []
        stop_disk_watch = node._disk_watch.stop

        async def stop_and_look() -> None:
            answers.append(await get(node, "/health/ready"))
            answers.append(await get(node, "/health/live"))
            await stop_disk_watch()

        node._disk_watch.stop = stop_and_look  # type: ignore[method-assign]  # a look in between
        await node.stop()
        (ready, reasons), (live, _) = answers
        assert (ready, live) == (503, 200)
        assert "stopping" in reasons
        with pytest.raises(ConnectionRefusedError):
            await get(node, "/health/live")

    run(look())


def test_who_asks_while_logs_are_opened_hears_that_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[tuple[int, str]] = []

    async def look() -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]

        async def ask() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for path in ("/health/live", "/health/ready", "/metrics"):
                writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.partition(b"Content-Length: ")[2].split()[0])
                body = await reader.readexactly(length)
                answers.append((int(head.split()[1]), body.decode()))
            writer.close()

        async def open_logs(*_: object) -> None:
            await ask()
            raise UserError("enough seen")

        monkeypatch.setattr("ottla.node.node._open_logs", open_logs)
        with pytest.raises(UserError, match="enough seen"):
            await Node.start(settings_of(tmp_path, f"127.0.0.1:{port}"))

    run(look())
    assert [status for status, _ in answers] == [200, 503, 503]
    assert all("starting" in body for _, body in answers[1:])


def test_a_port_that_is_taken_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    async def start() -> None:
        with socket.create_server(("127.0.0.1", 0)) as busy:
            taken = f"127.0.0.1:{busy.getsockname()[1]}"
            with pytest.raises(UserError, match="--http"):
                await Node.start(settings_of(tmp_path / "data", taken))

    run(start())
    assert not (tmp_path / "data").exists()
