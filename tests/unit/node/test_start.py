"""A broker that nobody set anything of loads nothing that only others need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

PROGRAM: Final = """
import asyncio, sys
from ottla.node.node import Node
from ottla.settings.broker import BrokerSettings

async def main():
    node = await Node.start(
        BrokerSettings({"log.dirs": sys.argv[1], "listeners": "PLAINTEXT://127.0.0.1:0"})
    )
    assert node.observation is None and node.broker.requests is None
    assert node.broker.authorizer is None and not node.broker.quotas.active
    await node.stop()

asyncio.run(main())
print(*sys.modules)
"""
ONLY_WITH: Final = {
    "a listener of HTTP": ("h11", "ottla.node.observation", "ottla.transport.http"),
    "metrics": ("prometheus_client", "ottla.broker.metrics"),
    "what clients push": ("opentelemetry", "google"),
    "an authorizer": (
        *("ottla.broker.guards.cluster", "ottla.broker.guards.configs"),
        *("ottla.broker.guards.group_offsets", "ottla.broker.guards.groups"),
        *("ottla.broker.guards.metadata", "ottla.broker.guards.topics"),
        "ottla.broker.guards.transactions",
    ),
    "compressed batches to open": ("cramjam", "lz4", "backports"),
    "a log to compact, in a process of its own": (
        *("ottla.node.cleaner_process", "ottla.log.compaction.cleaner"),
        *("ottla.log.compaction.offset_map", "ottla.log.compaction.record_filter"),
    ),
    "a directory of Kafka's": ("ottla.node.moving_in", "ottla.log.inspection"),
    "what packages ask of themselves": ("argparse", "email", "importlib.metadata", "zipfile"),
    "a name that is not ASCII": ("encodings.idna", "stringprep"),
    "a client": ("ottla.client", "ottla.blocking", "ottla.testing"),
}


def test_a_broker_by_itself_loads_nothing_that_only_others_need(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = done.stdout.split()
    assert "ottla.broker.apis.produce" in loaded
    for reason, dear in ONLY_WITH.items():
        too_early = [
            name
            for name in loaded
            if name.startswith(tuple(f"{each}." for each in dear)) or name in dear
        ]
        assert not too_early, f"only with {reason}"
