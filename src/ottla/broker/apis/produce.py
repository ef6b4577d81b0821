"""Produce: served on the data path (`broker/produce.py`)."""

from __future__ import annotations

from ottla.broker.handlers import serves_on_data_path
from ottla.wire.messages.produce import ProduceRequest

# Versions 0 to 2 are named but refused when used: without them older librdkafka silently stops
# compressing (KAFKA-18659).
serves_on_data_path(ProduceRequest, versions="3-13", advertised_min=0)
