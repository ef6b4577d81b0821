"""What a client may do with a topic, a group or the cluster (KIP-430)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

NOT_TOLD: Final = -(2**31)


class AclOperation(IntEnum):
    """What is allowed or denied, by the protocol's numbers."""

    UNKNOWN = 0
    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15

    @classmethod
    def _missing_(cls, value: object) -> AclOperation:
        """Of a later protocol."""
        return cls.UNKNOWN


Operations = frozenset[AclOperation]


def operations_of(bits: int) -> Operations | None:
    """From a bit field, where bit n stands for operation n; None where it was not told."""
    if bits == NOT_TOLD:
        return None
    return frozenset(
        operation
        for operation in AclOperation
        if operation > AclOperation.ALL and bits >> operation & 1
    )
