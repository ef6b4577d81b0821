"""DescribeUserScramCredentials (key 50): which users have passwords for SASL/SCRAM (KIP-554)."""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Message,
    NullableArray,
    NullableString,
    String,
    Structure,
    message,
)


@message(key=50, versions="0", flexible="0+")
class DescribeUserScramCredentialsRequest(Message, kw_only=True):
    """Users that are asked about; null for all."""

    users: NullableArray[UserName] = None


class UserName(Structure, kw_only=True):
    """One user."""

    name: String


@message(key=50, versions="0", flexible="0+")
class DescribeUserScramCredentialsResponse(Message, kw_only=True):
    """Mechanisms and iterations, never a secret. CLUSTER_AUTHORIZATION_FAILED."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
    results: Array[DescribeUserScramCredentialsResult] = []


class DescribeUserScramCredentialsResult(Structure, kw_only=True):
    """One user. RESOURCE_NOT_FOUND, DUPLICATE_RESOURCE."""

    user: String
    error_code: Int16 = 0
    error_message: NullableString = None
    credential_infos: Array[CredentialInfo] = []


class CredentialInfo(Structure, kw_only=True):
    """One password."""

    mechanism: Int8
    """1 SCRAM-SHA-256, 2 SCRAM-SHA-512."""
    iterations: Int32
