"""The broker process: start, say so, run until told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Mapping

from ottla.node.logging import log_to_stderr
from ottla.node.node import Node
from ottla.node.process import milliseconds_since_start, settle_memory
from ottla.settings.broker import BrokerSettings
from ottla.transport.loop import run

log = logging.getLogger(__name__)


def run_broker(texts: Mapping[str, str], *, log_level: str) -> None:
    """Run a broker with these settings, by their Kafka names, until SIGTERM or SIGINT.

    Raises UserError where a person must act.
    """
    log_to_stderr(log_level)
    run(_run(texts))


async def _run(texts: Mapping[str, str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    node = await Node.start(BrokerSettings(texts))
    _say_ready(node)
    settle_memory()
    await stop.wait()
    # A second signal ends the process as it would any other: the log is checked at the next start.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
    log.info("stopping")
    await node.stop()


def _say_ready(node: Node) -> None:
    """Tell on standard output, for programs, that clients can connect."""
    host, port = node.address
    ready = {
        "event": "ready",
        "listen": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "node_id": node.broker.node_id,
        "cluster_id": node.broker.cluster_id,
        "ready_ms": round(milliseconds_since_start()),
    }
    sys.stdout.write(json.dumps(ready, separators=(",", ":")) + "\n")
    sys.stdout.flush()
    log.info("serving", extra={"listen": ready["listen"], "data": node.data_directory})
