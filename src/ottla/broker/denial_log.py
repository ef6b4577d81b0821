"""What the authorizer denies: a line each, for whoever looks why a client is refused.

Only refusals are told. Looking which topics or groups to show, or which operations to name, denies
a lot and refuses nobody: see `authorizer.Access.quietly`.
"""

from __future__ import annotations

import logging

from ottla.base.limits import DENIALS_LOGGED_PER_SECOND_MAX, DENIED_NAME_LENGTH_SHOWN
from ottla.broker.log_rate import LogRate
from ottla.security.acl import AclResourceType, Operation

log = logging.getLogger(__name__)


class DenialLog:
    """The denials of one broker."""

    def __init__(self) -> None:
        self._rate = LogRate(DENIALS_LOGGED_PER_SECOND_MAX)

    def denied(
        self,
        principal: str,
        host: str,
        operation: Operation,
        resource_type: AclResourceType,
        name: str,
    ) -> None:
        """Log it, but only so many a second: a client that is refused asks again at once."""
        if not log.isEnabledFor(logging.INFO) or not self._rate.admits():
            return
        fields: dict[str, object] = {
            "principal": principal,
            "host": host,
            "operation": operation.name,
            "resource_type": resource_type.name,
            "resource": name[:DENIED_NAME_LENGTH_SHOWN],
            **self._rate.unlogged_before(),
        }
        log.info("denied", extra=fields)
