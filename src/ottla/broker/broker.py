"""The running broker as its handlers see it: the parts, by name."""

from __future__ import annotations

import msgspec

from ottla.base.world import Clock, Rng
from ottla.broker.addresses import AdvertisedAddresses
from ottla.broker.authorizer import Authorizer
from ottla.broker.client_quotas import ClientQuotas
from ottla.broker.client_telemetry import ClientTelemetry
from ottla.broker.fetch import FetchPath
from ottla.broker.group_coordinator import GroupCoordinator
from ottla.broker.metadata_service import MetadataService
from ottla.broker.produce import ProducePath
from ottla.broker.replica_moves import ReplicaMoves
from ottla.broker.replicas import LocalReplicas
from ottla.broker.request_log import RequestLog
from ottla.broker.transaction_coordinator import TransactionCoordinator
from ottla.settings.broker import BrokerSettings


class Broker(msgspec.Struct, frozen=True):
    """Handlers authorise, delegate to one of these, and answer.

    `authorizer` is None where everybody may do everything.
    `requests` is None where nobody could read what it counts.
    """

    node_id: int
    cluster_id: str
    settings: BrokerSettings
    metadata: MetadataService
    replicas: LocalReplicas
    moves: ReplicaMoves
    produce: ProducePath
    fetch: FetchPath
    groups: GroupCoordinator
    transactions: TransactionCoordinator
    addresses: AdvertisedAddresses
    quotas: ClientQuotas
    telemetry: ClientTelemetry
    clock: Clock
    rng: Rng
    requests: RequestLog | None
    authorizer: Authorizer | None
