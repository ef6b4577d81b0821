"""Asks an Apache Kafka what it has: `python -m tests.conformance.recording` writes it down."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from ottla.testing.direct_call import ask
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from tests.conformance.kafka import Kafka, load, save
from tests.support.kafka_process import KafkaProcess

TOPIC: Final = "conformance"
RESOURCES: Final = {
    "topic": (2, TOPIC),
    "broker": (4, "1"),
    "group": (32, "any"),
    "client metrics": (16, "any"),
}
DEFAULT: Final = 5
API_VERSIONS_MAX: Final = 4
Address = tuple[str, int]


def recorded(bootstrap: str, names: Kafka) -> Kafka:
    """What this Kafka has. It tells no names of APIs: these are taken from `names`."""
    host, _, port = bootstrap.rpartition(":")
    address = host, int(port)
    told = _versions(address)
    apis = [
        replace(api, versions=told.get(api.key, api.versions), on_brokers=api.key in told)
        for api in names.apis
    ]
    topic = CreatableTopic(
        name=TOPIC, num_partitions=1, replication_factor=1, assignments=[], configs=[]
    )
    ask(address, CreateTopicsRequest(topics=[topic]), CreateTopicsResponse)
    settings = {noun: _settings(address, *resource) for noun, resource in RESOURCES.items()}
    return Kafka(apis=tuple(apis), settings=settings)


def _versions(address: Address) -> dict[int, str]:
    request = ApiVersionsRequest(client_software_name="conformance", client_software_version="1")
    response = ask(address, request, ApiVersionsResponse, at_most=API_VERSIONS_MAX)
    return {each.api_key: f"{each.min_version}-{each.max_version}" for each in response.api_keys}


def _settings(address: Address, kind: int, name: str) -> dict[str, str | None]:
    """Names and defaults, by name."""
    resource = DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=None
    )
    request = DescribeConfigsRequest(resources=[resource], include_synonyms=True)
    (result,) = ask(address, request, DescribeConfigsResponse).results
    settings = {}
    for config in sorted(result.configs, key=lambda config: config.name):
        places = [(config.config_source, config.value)]
        places += [(place.source, place.value) for place in config.synonyms]
        defaults = [value for source, value in places if source == DEFAULT]
        settings[config.name] = defaults[-1] if defaults else None
    return settings


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as _place:
        _folder = Path(_place)
        with KafkaProcess(_folder, _folder / "data") as _kafka:
            save(recorded(_kafka.bootstrap, load()))
