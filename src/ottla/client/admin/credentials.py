"""Passwords for SASL/SCRAM (KIP-554; Kafka 2.7). A broker is given them salted, never plain."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final

from msgspec import Struct

from ottla.client.admin.asking import Asking
from ottla.client.admin.outcomes import Answers, Outcomes, check, verdict
from ottla.client.connection import Connection
from ottla.wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from ottla.wire.messages.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
    UserName,
)

ITERATIONS: Final = 4096
"""The least that Kafka takes; it takes up to 16384."""

_SALT_BYTES: Final = 24


class ScramMechanism(IntEnum):
    """By the protocol's numbers."""

    UNKNOWN = 0
    SCRAM_SHA_256 = 1
    SCRAM_SHA_512 = 2

    @classmethod
    def _missing_(cls, value: object) -> ScramMechanism:
        return cls.UNKNOWN


_HASHES: Final = {ScramMechanism.SCRAM_SHA_256: "sha256", ScramMechanism.SCRAM_SHA_512: "sha512"}


class ScramCredential(Struct, frozen=True, kw_only=True):
    """That a user has a password, and how often it is hashed."""

    mechanism: ScramMechanism
    iterations: int


class SetPassword(Struct, frozen=True, kw_only=True):
    """A user's password for a mechanism, new or instead of the one there is."""

    user: str
    password: str | bytes
    mechanism: ScramMechanism = ScramMechanism.SCRAM_SHA_512
    iterations: int = ITERATIONS
    salt: bytes | None = None
    """Drawn by chance where None."""


class RemovePassword(Struct, frozen=True, kw_only=True):
    """Take a user's password for a mechanism away."""

    user: str
    mechanism: ScramMechanism = ScramMechanism.SCRAM_SHA_512


class Credentials:
    """`admin.credentials`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def describe(
        self, *users: str, timeout_s: float | None = None
    ) -> Outcomes[str, tuple[ScramCredential, ...]]:
        """The passwords of these users, or of all who have any; by user."""

        async def ask(node: Connection) -> Answers[str, tuple[ScramCredential, ...]]:
            request = DescribeUserScramCredentialsRequest(
                users=[UserName(name=user) for user in users] or None
            )
            response = await node.call(request, DescribeUserScramCredentialsResponse)
            check(response.error_code, response.error_message, "the passwords")
            return {
                told.user: verdict(
                    told.error_code,
                    told.error_message,
                    f"user {told.user!r}",
                    _described(told),
                )
                for told in response.results
            }

        told = await self._asking.any_one(ask, about="the passwords", timeout_s=timeout_s)
        return Outcomes.of(told)

    async def alter(
        self, *changes: SetPassword | RemovePassword, timeout_s: float | None = None
    ) -> Outcomes[str, None]:
        """Set and remove passwords; by user.

        One change of a user at a time: more of them are DUPLICATE_RESOURCE.
        """
        by_user: dict[str, list[SetPassword | RemovePassword]] = {}
        for change in changes:
            by_user.setdefault(change.user, []).append(change)

        async def ask(node: Connection, users: Sequence[str]) -> Answers[str, None]:
            wanted = [change for user in users for change in by_user[user]]
            response = await node.call(_request(wanted), AlterUserScramCredentialsResponse)
            return {
                told.user: verdict(told.error_code, told.error_message, f"user {told.user!r}", None)
                for told in response.results
            }

        return await self._asking.at_controller(by_user, ask, timeout_s=timeout_s)


def _described(told: DescribeUserScramCredentialsResult) -> tuple[ScramCredential, ...]:
    return tuple(
        ScramCredential(mechanism=ScramMechanism(each.mechanism), iterations=each.iterations)
        for each in told.credential_infos
    )


def _request(
    changes: Iterable[SetPassword | RemovePassword],
) -> AlterUserScramCredentialsRequest:
    request = AlterUserScramCredentialsRequest(deletions=[], upsertions=[])
    for change in changes:
        if isinstance(change, RemovePassword):
            request.deletions.append(
                ScramCredentialDeletion(name=change.user, mechanism=change.mechanism)
            )
        else:
            request.upsertions.append(_upsertion(change))
    return request


def _upsertion(change: SetPassword) -> ScramCredentialUpsertion:
    salt = secrets.token_bytes(_SALT_BYTES) if change.salt is None else change.salt
    password = change.password.encode() if isinstance(change.password, str) else change.password
    return ScramCredentialUpsertion(
        name=change.user,
        mechanism=change.mechanism,
        iterations=change.iterations,
        salt=salt,
        salted_password=hashlib.pbkdf2_hmac(
            _HASHES[change.mechanism], password, salt, change.iterations
        ),
    )
