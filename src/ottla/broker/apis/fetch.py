"""Fetch: served on the data path (`broker/fetch.py`)."""

from __future__ import annotations

from ottla.broker.handlers import serves_on_data_path
from ottla.wire.messages.fetch import FetchRequest

serves_on_data_path(FetchRequest, versions="4-18")
