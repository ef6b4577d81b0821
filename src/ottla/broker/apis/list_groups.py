"""ListGroups: the groups that this broker coordinates."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.groups.group import Group
from ottla.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse


@handles(ListGroupsRequest, versions="0-5")
async def list_groups(request: ListGroupsRequest, call: Call, broker: Broker) -> ListGroupsResponse:
    """Those that pass both filters; an empty one lets all pass, and case does not matter."""
    states = {state.lower() for state in request.states_filter}
    types = {type_.lower() for type_ in request.types_filter}

    def wanted(group: Group) -> bool:
        has_state = not states or group.state_name.lower() in states
        return has_state and (not types or group.type_name in types)

    try:
        return ListGroupsResponse(groups=await broker.groups.listed(wanted))
    except ProtocolError as refused:
        return ListGroupsResponse(error_code=refused.code)
