"""The clients by name, and whether this machine has them."""

from __future__ import annotations

import importlib
import shutil

from tests.clients.contract import Client
from tests.support.java import why_no_java

_CLASSES = {
    "confluent-kafka": ("tests.clients.confluent", "ConfluentClient"),
    "kafka-python": ("tests.clients.kafka_python", "KafkaPythonClient"),
    "aiokafka": ("tests.clients.aio", "AioKafkaClient"),
    "kcat": ("tests.clients.kcat", "KcatClient"),
    "java": ("tests.clients.java", "JavaClient"),
}
NAMES = tuple(_CLASSES)


def why_missing(name: str) -> str | None:
    """Why this machine cannot run the client; None where it can."""
    if name == "kcat" and shutil.which("kcat") is None:
        return "kcat is not installed"
    if name == "java" and (reason := why_no_java()):
        return f"Java's client: {reason}"
    return None


def make_client(name: str) -> Client:
    """A new client; close it when it is done."""
    module, class_name = _CLASSES[name]
    client = getattr(importlib.import_module(module), class_name)()
    assert isinstance(client, Client)
    return client


def foreign_to(name: str) -> str:
    """Another client than this one: each is some other's."""
    return NAMES[(NAMES.index(name) + 1) % len(NAMES)]
