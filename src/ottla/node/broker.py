"""The broker process: start, say so, run until told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Mapping
from typing import Any

from ottla.base.errors import UserError
from ottla.node.logging import log_to_stderr
from ottla.node.node import Node
from ottla.node.process import milliseconds_since_start, settle_memory
from ottla.settings.broker import BrokerSettings
from ottla.transport.loop import run

log = logging.getLogger(__name__)


def run_broker(texts: Mapping[str, str], *, log_level: str, log_format: str = "text") -> None:
    """Run a broker with these settings, by their Kafka names, until SIGTERM or SIGINT.

    Raises UserError where a person must act.
    """
    log_to_stderr(log_level, log_format)
    run(_run(texts))


async def _run(texts: Mapping[str, str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    node = await Node.start(BrokerSettings(texts))
    _say_ready(node)
    settle_memory()
    await _stop_or_loss(stop, node)
    # A second signal ends the process as it would any other: the log is checked at the next start.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
    log.info("stopping")
    await node.stop()
    if node.lost.done():
        raise UserError(node.lost.result())


async def _stop_or_loss(stop: asyncio.Event, node: Node) -> None:
    """Until somebody wants the broker to stop, or it cannot go on."""
    stopping = asyncio.ensure_future(stop.wait())
    either: set[asyncio.Future[Any]] = {stopping, node.lost}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if node.lost.done():
        log.error("the node cannot go on: %s", node.lost.result())


def _say_ready(node: Node) -> None:
    """Tell on standard output, for programs, that clients can connect."""
    ready = {
        "event": "ready",
        "listen": _written(node.address),
        "node_id": node.broker.node_id,
        "cluster_id": node.broker.cluster_id,
        "ready_ms": round(milliseconds_since_start()),
    }
    if node.observation is not None:
        ready["http"] = [_written(address) for address in node.observation.addresses]
    sys.stdout.write(json.dumps(ready, separators=(",", ":")) + "\n")
    sys.stdout.flush()
    log.info("serving", extra={"listen": ready["listen"], "data": node.data_directories})


def _written(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
