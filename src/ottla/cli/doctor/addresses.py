"""Whether clients get to every broker by the addresses that the cluster tells them.

A client goes to its first address once, and from then on to what brokers advertise: most clusters
that "work from there and not from here" fail in between.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from ottla.cli.doctor.dialling import Dial, Dialled, Failure
from ottla.cli.doctor.finding import Finding, Level
from ottla.client.address import Address
from ottla.client.metadata import Node
from ottla.settings.endpoints import Endpoint

ANYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 # what nobody should advertise
_REMEDIES: Final = {
    Failure.NAME: "let the broker advertise a name that its clients know (advertised.listeners, "
    "`ottla serve --advertise HOST:PORT`), or make the name known here",
    Failure.REFUSED: "start the broker, or let it advertise the port that is open to its clients: "
    "a container's published one, a proxy's",
    Failure.TIMEOUT: "open the port in the firewall, or let the broker advertise an address that "
    "is reached from here",
    Failure.NO_BROKER: "use a PLAINTEXT listener's port",
    Failure.OTHER: "see whether the machine is up and reached from here",
}


class Told(Struct, frozen=True, kw_only=True):
    """An address that clients are told, and by whom."""

    node_id: int
    listener: str
    """Empty for the one that was reached."""
    address: Address
    is_plain: bool = True

    def __str__(self) -> str:
        listener = f", listener {self.listener}" if self.listener else ""
        return f"broker {self.node_id}{listener}"


async def look_at_addresses(
    dial: Dial,
    *,
    bootstrap: Sequence[Address],
    nodes: Sequence[Node],
    others: Sequence[Told],
    cluster_id: str | None,
) -> list[Finding]:
    """Dial them all, at the same time."""
    told = [Told(node_id=n.node_id, listener="", address=n.address) for n in nodes]
    told += [each for each in others if each.address not in {known.address for known in told}]
    plain = [each for each in told if each.is_plain and each.address.host not in ANYWHERE]
    wanted = dict.fromkeys([*bootstrap, *(each.address for each in plain)])
    answers = dict(
        zip(wanted, await asyncio.gather(*(dial(address) for address in wanted)), strict=True)
    )
    findings = [
        *_bootstrap_findings(bootstrap, answers),
        *(finding for each in plain for finding in _of_broker(each, answers, cluster_id)),
        *_odd(told, bootstrap),
    ]
    good = sum(answers[each.address].failure is None for each in plain)
    summary = f"{good} of {len(plain)} advertised addresses answer"
    return [Finding(level=Level.FINE, about="", told=summary), *findings]


def _bootstrap_findings(
    bootstrap: Collection[Address], answers: Mapping[Address, Dialled]
) -> Iterator[Finding]:
    """One of several may be down: clients take the next."""
    for address in bootstrap:
        failure = answers[address].failure
        if failure is not None:
            yield Finding(
                level=Level.WARNING,
                about=str(address),
                told=f"the first address {address} does not answer: {failure.value}",
                remedy="take it out of the first addresses (bootstrap.servers), or repair it",
            )


def _of_broker(
    told: Told, answers: Mapping[Address, Dialled], cluster_id: str | None
) -> Iterator[Finding]:
    answer = answers[told.address]
    if answer.failure is not None:
        yield Finding(
            # Another listener may be for another network.
            level=Level.WARNING if told.listener else Level.PROBLEM,
            about=str(told),
            told=f"it tells clients to come to {told.address}: {answer.failure.value}",
            remedy=_REMEDIES[answer.failure],
        )
    elif cluster_id and answer.cluster_id and answer.cluster_id != cluster_id:
        yield Finding(
            level=Level.PROBLEM,
            about=str(told),
            told=f"at its address {told.address} another cluster answers, {answer.cluster_id}, "
            f"not {cluster_id}",
            remedy="let the broker advertise its own address, or repair the port forwarding",
        )


def _odd(told: Sequence[Told], bootstrap: Sequence[Address]) -> Iterator[Finding]:
    """What works from here and not from elsewhere."""
    from_afar = not all(is_loopback(address.host) for address in bootstrap)
    for each in told:
        if each.address.host in ANYWHERE:
            yield Finding(
                level=Level.PROBLEM,
                about=str(each),
                told=f"it advertises {each.address}, which is every machine and none",
                remedy="set advertised.listeners to a name or address of the broker",
            )
        elif from_afar and is_loopback(each.address.host):
            yield Finding(
                level=Level.PROBLEM,
                about=str(each),
                told=f"it advertises {each.address}: each client looks for it on its own machine",
                remedy="set advertised.listeners to a name that clients of other machines know",
            )
    reached = [each.address for each in told if not each.listener]
    if len(reached) == 1 and bootstrap and reached[0] not in bootstrap:
        yield Finding(
            level=Level.NOTE,
            about=str(told[0]),
            told=f"it was reached as {bootstrap[0]} and tells clients to come to {reached[0]}",
        )


def is_loopback(host: str) -> bool:
    """This machine by its own name for itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def told_of(
    node_id: int, advertised: Sequence[Endpoint], protocols: Mapping[str, str]
) -> list[Told]:
    """Addresses of a broker's settings; without a port they say nothing."""
    return [
        Told(
            node_id=node_id,
            listener=endpoint.listener,
            address=Address(endpoint.host, endpoint.port),
            is_plain=protocols.get(endpoint.listener, endpoint.listener) == "PLAINTEXT",
        )
        for endpoint in advertised
        if endpoint.port
    ]
