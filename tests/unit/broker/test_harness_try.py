from __future__ import annotations
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse

def test_it(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("a", 3)
    r = client.ask(MetadataRequest(topics=None), MetadataResponse)
    print(r)
    broker.advance if False else None
    broker.stop()
    broker.start()
    print(broker.folders(), broker.disk.list_dir(broker.path))
