"""What kafka-python's fixtures import and its source distribution lacks: who runs the broker.

`fetch.sh` puts it beside them as `test/service.py`. The broker is always ours, started outside.
"""

from __future__ import annotations

from typing import NoReturn


class ExternalService:
    """A broker that runs already, at `host` and `port`; it is not this suite's to stop."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port


class SpawnedService:
    """A broker of Apache Kafka's that a test starts itself, which there is none of here."""

    def __init__(self, args: object, env: object) -> NoReturn:
        raise RuntimeError("this test starts its own Apache Kafka instead of using KAFKA_URI")
