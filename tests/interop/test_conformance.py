"""The page about conformance tells of Apache Kafka what it tells of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.kafka import load
from tests.conformance.recording import recorded
from tests.support.java import needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop


@needs_java
def test_apache_kafka_has_what_is_written_down(tmp_path: Path) -> None:
    written = load()
    with KafkaProcess(tmp_path, tmp_path / "data") as kafka:
        assert recorded(kafka.bootstrap, written) == written
