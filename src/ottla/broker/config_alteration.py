"""AlterConfigs and IncrementalAlterConfigs alike: each resource to whom it belongs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.loggers import alter_loggers
from ottla.metadata.config_change import ConfigResult, ResourceChange, bad_request, named_twice
from ottla.metadata.image import ConfigResource, ResourceType


async def alter(
    broker: Broker,
    changes: Sequence[ResourceChange],
    *,
    validate_only: bool,
    replace_all: bool = False,
) -> list[ConfigResult]:
    """What became of each resource, in their order.

    With `replace_all` every setting that is not named is deleted; loggers do not take that.
    """
    here: dict[int, ConfigResult] = {}
    kept: dict[int, ResourceChange] = {}
    named = Counter(change.resource for change in changes)
    for place, change in enumerate(changes):
        if change.resource.type == ResourceType.BROKER_LOGGER and not replace_all:
            times = named[change.resource]
            here[place] = _alter_own(broker, change, times=times, validate_only=validate_only)
        elif _is_of_another(change.resource, broker.node_id):
            here[place] = _refused(change.resource, not_this_node(broker, change.resource.name))
        else:
            kept[place] = change
    if kept:
        results = await _alter_kept(
            broker, list(kept.values()), validate_only=validate_only, replace_all=replace_all
        )
        here.update(zip(kept, results, strict=True))
    return [here[place] for place in sorted(here)]


async def _alter_kept(
    broker: Broker, changes: list[ResourceChange], *, validate_only: bool, replace_all: bool
) -> list[ConfigResult]:
    """Those in the metadata."""
    try:
        return await broker.metadata.alter_configs(
            changes, validate_only=validate_only, replace_all=replace_all
        )
    except ProtocolError as refused:
        return [_refused(change.resource, refused) for change in changes]


def _alter_own(
    broker: Broker, change: ResourceChange, *, times: int, validate_only: bool
) -> ConfigResult:
    """Those of this process."""
    try:
        if times > 1:
            raise named_twice()
        if change.resource.name != str(broker.node_id):
            raise not_this_node(broker, change.resource.name)
        alter_loggers(change.changes, validate_only=validate_only)
    except ProtocolError as refused:
        return _refused(change.resource, refused)
    return ConfigResult(change.resource, ErrorCode.NONE, None)


def not_this_node(broker: Broker, name: str) -> ProtocolError:
    """Settings of a node are checked and told by itself: clients ask it."""
    return bad_request(
        f"this is node {broker.node_id}, which answers for itself only, not for {name!r}"
    )


def _is_of_another(resource: ConfigResource, node_id: int) -> bool:
    return resource.type == ResourceType.BROKER and resource.name not in ("", str(node_id))


def _refused(resource: ConfigResource, error: ProtocolError) -> ConfigResult:
    return ConfigResult(resource, error.code, error.message)
