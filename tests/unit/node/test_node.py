"""A node whose start fails, and one whose disk is full when it stops."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from ottla.base.errors import UserError
from ottla.metadata.configs import ConfigChange, ConfigOperation, ResourceChange
from ottla.metadata.image import ALL_BROKERS
from ottla.node.node import Node
from ottla.settings.broker import BrokerSettings
from ottla.transport.loop import run


def settings_of(folder: Path, listeners: str) -> BrokerSettings:
    return BrokerSettings({"log.dirs": str(folder), "listeners": listeners})


def test_a_start_that_finds_one_port_busy_gives_the_others_back(tmp_path: Path) -> None:
    async def start_twice() -> None:
        with socket.create_server(("127.0.0.1", 0)) as busy:
            with socket.create_server(("127.0.0.1", 0)) as other:
                free = f"PLAINTEXT://127.0.0.1:{other.getsockname()[1]}"
            taken = f"EXTERNAL://127.0.0.1:{busy.getsockname()[1]}"
            # The error keeps what the failed start had made, as a caller's `except` does.
            with pytest.raises(UserError, match="another program listens") as _failed:
                await Node.start(settings_of(tmp_path, f"{free},{taken}"))
            node = await Node.start(settings_of(tmp_path, free))
            await node.stop()

    run(start_twice())


def test_a_stop_goes_on_where_the_disk_takes_no_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def stop_and_start_again() -> None:
        node = await Node.start(settings_of(tmp_path, "PLAINTEXT://127.0.0.1:0"))
        monkeypatch.setattr(node._housekeeping, "write_checkpoints", full)
        await node.stop()
        assert "the next start checks it" in caplog.text
        again = await Node.start(settings_of(tmp_path, "PLAINTEXT://127.0.0.1:0"))
        await again.stop()

    run(stop_and_start_again())


def test_limits_and_compaction_follow_the_metadata_while_the_node_runs(tmp_path: Path) -> None:
    async def change_and_look() -> None:
        node = await Node.start(settings_of(tmp_path, "PLAINTEXT://127.0.0.1:0"))
        texts = {
            "max.connections": "7",
            "max.connections.per.ip": "6",
            "max.connections.per.ip.overrides": "10.0.0.7:5",
            "log.cleaner.backoff.ms": "4000",
        }
        changes = [ConfigChange(name, ConfigOperation.SET, text) for name, text in texts.items()]
        await node.broker.metadata.alter_configs([ResourceChange(ALL_BROKERS, changes)])
        limits = node._listeners[0]._limits
        assert (limits.connections_max, limits.connections_per_ip_max) == (7, 6)
        assert limits.connections_of_ips == {"10.0.0.7": 5}
        assert node.cleaning._backoff_ms == 4000
        await node.stop()

    run(change_and_look())


def test_defaults_that_no_topic_could_have_are_told_at_the_start(tmp_path: Path) -> None:
    lags = {
        "log.cleaner.min.compaction.lag.ms": "1000",
        "log.cleaner.max.compaction.lag.ms": "10",
    }
    with pytest.raises(UserError, match=r"compaction\.lag"):
        run(Node.start(BrokerSettings({"log.dirs": str(tmp_path / "data"), **lags})))
    assert list(tmp_path.iterdir()) == []
