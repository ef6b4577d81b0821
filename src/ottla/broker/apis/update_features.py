"""UpdateFeatures: the levels at which the cluster runs its features change (KIP-584)."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.quorum.contract import VoterPlace
from ottla.wire.messages.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse


@handles(UpdateFeaturesRequest, versions="0-2")
async def update_features(
    request: UpdateFeaturesRequest, call: Call, broker: Broker
) -> UpdateFeaturesResponse:
    """All of them or none. What depends on a level reads it from the image, and so follows."""
    try:
        return await broker.metadata.update_features(
            request, version=call.version, place=_place(broker)
        )
    except ProtocolError as refused:
        return UpdateFeaturesResponse(error_code=refused.code, error_message=refused.message)


def _place(broker: Broker) -> VoterPlace:
    """This node as a voter: it listens where its broker does."""
    endpoints = broker.metadata.image.brokers[broker.node_id].endpoints
    return VoterPlace(
        broker.replicas.directories.metadata.id,
        tuple((name, point.host, point.port) for name, point in endpoints.items()),
    )
