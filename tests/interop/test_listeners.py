"""Which address clients are told: the one that they reached, or the one that was advertised."""

from __future__ import annotations

import socket

import pytest

from tests.clients.admin import Admin
from tests.clients.catalogue import NAMES
from tests.clients.contract import Client, Record
from tests.conftest import BrokerFactory
from tests.interop.conftest import ClientFinder
from tests.support.free_ports import free_port


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def say_and_hear(client: Client, bootstrap: str, topic: str) -> None:
    client.produce(bootstrap, topic, [Record(b"hello", key=b"k")])
    stored = client.consume(bootstrap, topic, 1)
    assert [record.value for record in stored] == [b"hello"]


ADDRESSES = [
    pytest.param("127.0.0.1:{}", "127.0.0.1", id="IPv4"),
    pytest.param("localhost:{}", "127.0.0.1", id="a name"),
    pytest.param(
        "[::1]:{}",
        "::1",
        id="IPv6",
        marks=pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6"),
    ),
]


@pytest.mark.parametrize(("address", "told"), ADDRESSES)
def test_without_advice_a_client_is_told_the_address_that_it_reached(
    address: str, told: str, start_broker: BrokerFactory, client_named: ClientFinder
) -> None:
    broker = start_broker(listen=[":0"])
    bootstrap = address.format(broker.port)
    addresses = Admin(bootstrap).addresses()
    # A name may lead to either family.
    expected = {told, "::1"} if "localhost" in address else {told}
    assert addresses <= {f"{host}:{broker.port}" for host in expected}
    say_and_hear(client_named("confluent-kafka"), bootstrap, "topic")


@pytest.mark.parametrize("name", NAMES)
def test_each_listener_tells_its_own_address(
    name: str, start_broker: BrokerFactory, client_named: ClientFinder
) -> None:
    client, outside_port = client_named(name), free_port()
    broker = start_broker(
        "--listen",
        f"OUTSIDE://127.0.0.1:{outside_port}",
        "--advertise",
        f"OUTSIDE://localhost:{outside_port}",
        listen=["INSIDE://127.0.0.1:0"],
    )
    outside = f"127.0.0.1:{outside_port}"
    assert Admin(broker.bootstrap).addresses() == {broker.bootstrap}
    assert Admin(outside).addresses() == {f"localhost:{outside_port}"}
    say_and_hear(client, broker.bootstrap, "inside")
    say_and_hear(client, outside, "outside")
    assert client.consume(outside, "inside", 1)[0].value == b"hello"
    client.complaints.clear()  # "topic not there yet" of some


def test_an_address_that_leads_elsewhere_is_told_all_the_same(start_broker: BrokerFactory) -> None:
    """As behind a proxy: the broker does not know better than the person who advertised it."""
    broker = start_broker("--advertise", "broker.example.net:19092")
    assert Admin(broker.bootstrap).addresses() == {"broker.example.net:19092"}


def test_the_ready_line_tells_an_ipv6_address_in_brackets(start_broker: BrokerFactory) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    broker = start_broker(listen=["[::1]:0"])
    assert broker.ready["listen"] == f"[::1]:{broker.port}"
    assert Admin(broker.bootstrap).addresses() == {f"::1:{broker.port}"}
