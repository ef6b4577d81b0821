"""All looks at a cluster, one after the other; what cannot be asked is a note and no end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ottla.base.errors import ProtocolError, UserError
from ottla.cli.doctor.addresses import (
    ANYWHERE,
    Told,
    is_loopback,
    look_at_addresses,
    told_of,
)
from ottla.cli.doctor.clocks import look_at_clocks
from ottla.cli.doctor.dialling import Dial, Dialled
from ottla.cli.doctor.disks import look_at_disks
from ottla.cli.doctor.finding import Finding, Level
from ottla.cli.doctor.groups import look_at_groups
from ottla.cli.doctor.partitions import look_at_partitions
from ottla.cli.doctor.transactions import look_at_transactions
from ottla.client.address import Address
from ottla.settings.endpoints import Endpoint, parse_endpoints

if TYPE_CHECKING:
    from ottla.cli.doctor.groups import Patience, Timed
    from ottla.client.admin import Admin
    from ottla.client.admin.cluster import ClusterDescription
    from ottla.client.metadata import Node

_LOOK_S_MAX: Final = 30.0
_ADDRESS_SETTINGS: Final = (
    "advertised.listeners",
    "listeners",
    "listener.security.protocol.map",
    "controller.listener.names",
)


class Patient(Struct, frozen=True, kw_only=True):
    """What is looked at, and by what."""

    admin: Admin
    cluster: ClusterDescription
    bootstrap: Sequence[Address]
    dial: Dial
    answers: Mapping[int, Dialled]
    """Of brokers by the addresses that they advertise: `dial_brokers`."""
    patience: Patience
    timed: Timed
    now_ms: Callable[[], int]

    @property
    def nodes(self) -> list[Node]:
        """Brokers that serve."""
        return [each.node for each in self.cluster.nodes if not each.is_fenced]

    @property
    def reached(self) -> list[Node]:
        """Those that answer where they say."""
        return [node for node in self.nodes if self.answers[node.node_id].failure is None]


Look = Callable[[Patient], Awaitable[list[Finding]]]


async def dial_brokers(dial: Dial, cluster: ClusterDescription) -> dict[int, Dialled]:
    """Those that serve, all at the same time."""
    nodes = [each.node for each in cluster.nodes if not each.is_fenced]
    answers = await asyncio.gather(*(dial(node.address) for node in nodes))
    return {node.node_id: answer for node, answer in zip(nodes, answers, strict=True)}


async def examine(patient: Patient) -> list[tuple[str, Finding]]:
    """Findings by the name of the look.

    Where no broker is reached by its own address, nobody could answer the later ones.
    """
    looks = dict(LOOKS_FROM_AFAR)
    if patient.reached:
        looks |= LOOKS_AT_BROKERS
    return [
        (name, finding) for name, look in looks.items() for finding in await _try(look, patient)
    ]


async def _try(look: Look, patient: Patient) -> list[Finding]:
    try:
        async with asyncio.timeout(_LOOK_S_MAX):
            return await look(patient)
    except TimeoutError:
        told = f"it was given up after {_LOOK_S_MAX:g} s: a broker does not answer"
        return [Finding(level=Level.NOTE, about="", told=told)]
    except (UserError, ProtocolError) as error:
        return [Finding(level=Level.NOTE, about="", told=f"it could not be asked: {error}")]


async def _brokers(patient: Patient) -> list[Finding]:
    fenced = [each.node for each in patient.cluster.nodes if each.is_fenced]
    findings = [
        Finding(
            level=Level.WARNING,
            about=f"broker {node.node_id}",
            told="it is registered and does not serve",
            remedy="start it, or take it out for good: `ottla cluster unregister`",
        )
        for node in fenced
    ]
    count, cluster_id = len(patient.nodes), patient.cluster.cluster_id
    told = f"{count} {'broker' if count == 1 else 'brokers'} of cluster {cluster_id}"
    return [Finding(level=Level.FINE, about="", told=told), *findings]


async def _addresses(patient: Patient) -> list[Finding]:
    return await look_at_addresses(
        patient.dial,
        bootstrap=patient.bootstrap,
        nodes=patient.nodes,
        others=await _other_listeners(patient),
        cluster_id=patient.cluster.cluster_id,
    )


async def _other_listeners(patient: Patient) -> list[Told]:
    """What brokers say of listeners that were not reached; nothing where they do not tell."""
    from ottla.client.admin.config_entries import ConfigResource

    described = await patient.admin.configs.describe(
        *(ConfigResource.broker(node.node_id) for node in patient.reached), names=_ADDRESS_SETTINGS
    )
    told: list[Told] = []
    for resource, settings in described.done.items():
        texts = {name: entry.value or "" for name, entry in settings.items()}
        told += advertised_of(int(resource.name), texts)
    return told


def advertised_of(node_id: int, texts: Mapping[str, str]) -> list[Told]:
    """Addresses that a broker's settings name for clients, but those of controllers."""
    named = texts.get("advertised.listeners") or texts.get("listeners") or ""
    own = set(_split(texts.get("controller.listener.names", "")))
    protocols = dict(
        _pair(each) for each in _split(texts.get("listener.security.protocol.map", ""))
    )
    try:
        endpoints = parse_endpoints(tuple(_split(named)))
    except ValueError:
        return []
    explicit = bool(texts.get("advertised.listeners"))
    wanted = [
        each for each in endpoints if each.listener not in own and (explicit or _is_elsewhere(each))
    ]
    return told_of(node_id, wanted, protocols)


def _is_elsewhere(endpoint: Endpoint) -> bool:
    """Whether a listener's own address is one for other machines, where it advertises none."""
    return endpoint.host not in ANYWHERE and not is_loopback(endpoint.host)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pair(text: str) -> tuple[str, str]:
    name, _, protocol = text.partition(":")
    return name, protocol


async def _versions(patient: Patient) -> list[Finding]:
    return version_findings(
        {node.node_id: patient.answers[node.node_id] for node in patient.reached}
    )


def version_findings(answers: Mapping[int, Dialled]) -> list[Finding]:
    """Whether all brokers offer the same: else somebody upgrades, or has forgotten one."""
    if not answers:
        return [Finding(level=Level.NOTE, about="", told="no broker could be asked")]
    first_id, first = next(iter(answers.items()))
    findings = [
        Finding(
            level=Level.WARNING,
            about=f"broker {node_id}",
            told=f"it offers other versions than broker {first_id}: "
            f"{_differences(first.apis, answer.apis)} of {len(first.apis)} APIs differ",
            remedy="end the upgrade: clients use what each broker offers",
        )
        for node_id, answer in answers.items()
        if answer.apis != first.apis
    ]
    told = f"{len(first.apis)} APIs, {'not ' if findings else ''}the same on all brokers"
    return [Finding(level=Level.FINE, about="", told=told), *findings]


def _differences(one: Mapping[int, tuple[int, int]], other: Mapping[int, tuple[int, int]]) -> int:
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())


async def _disks(patient: Patient) -> list[Finding]:
    return look_at_disks(await patient.admin.log_dirs.describe())


async def _partitions(patient: Patient) -> list[Finding]:
    return await look_at_partitions(patient.admin)


async def _clocks(patient: Patient) -> list[Finding]:
    node_ids = [node.node_id for node in patient.reached]
    return await look_at_clocks(patient.admin, node_ids, now_ms=patient.now_ms)


async def _groups(patient: Patient) -> list[Finding]:
    return await look_at_groups(patient.admin, patient.patience, patient.timed)


async def _transactions(patient: Patient) -> list[Finding]:
    return look_at_transactions(await patient.admin.transactions.find_hanging())


LOOKS_FROM_AFAR: Final[Mapping[str, Look]] = {"brokers": _brokers, "addresses": _addresses}
LOOKS_AT_BROKERS: Final[Mapping[str, Look]] = {
    "versions": _versions,
    "clocks": _clocks,
    "disks": _disks,
    "partitions": _partitions,
    "groups": _groups,
    "transactions": _transactions,
}
