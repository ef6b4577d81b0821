"""AlterUserScramCredentials (key 51): set and remove passwords for SASL/SCRAM (KIP-554)."""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Bytes,
    Int8,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    message,
)


@message(key=51, versions="0", flexible="0+")
class AlterUserScramCredentialsRequest(Message, kw_only=True):
    """Passwords to remove and to set."""

    deletions: Array[ScramCredentialDeletion]
    upsertions: Array[ScramCredentialUpsertion]


class ScramCredentialDeletion(Structure, kw_only=True):
    """A password to remove."""

    name: String
    mechanism: Int8
    """1 SCRAM-SHA-256, 2 SCRAM-SHA-512."""


class ScramCredentialUpsertion(Structure, kw_only=True):
    """A password to set, salted by the client: the broker never sees it."""

    name: String
    mechanism: Int8
    """1 SCRAM-SHA-256, 2 SCRAM-SHA-512."""
    iterations: Int32
    salt: Bytes
    salted_password: Bytes


@message(key=51, versions="0", flexible="0+")
class AlterUserScramCredentialsResponse(Message, kw_only=True):
    """What became of each user."""

    throttle_time_ms: Int32 = 0
    results: Array[AlterUserScramCredentialsResult] = []


class AlterUserScramCredentialsResult(Structure, kw_only=True):
    """What became of one user.

    RESOURCE_NOT_FOUND, DUPLICATE_RESOURCE, UNACCEPTABLE_CREDENTIAL, UNSUPPORTED_SASL_MECHANISM,
    CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    """

    user: String
    error_code: Int16 = 0
    error_message: NullableString = None
