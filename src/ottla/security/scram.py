"""SCRAM credentials: what is kept of a password, and what can be one (RFC 5802, KIP-554).

Clients send salted passwords; from one follow two keys, and neither of them lets anybody log in.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import IntEnum
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import SCRAM_SALT_BYTES_MAX

ITERATIONS_MIN: Final = 4096
ITERATIONS_MAX: Final = 16384


class Mechanism(IntEnum):
    """By the protocol's numbers."""

    SCRAM_SHA_256 = 1
    SCRAM_SHA_512 = 2


_HASHES: Final = {Mechanism.SCRAM_SHA_256: "sha256", Mechanism.SCRAM_SHA_512: "sha512"}


class Keys(NamedTuple):
    """By `stored` the broker knows a client, by `server` the client knows the broker."""

    stored: bytes
    server: bytes


def keys_of(mechanism: Mechanism, salted_password: bytes) -> Keys:
    """What is kept of a salted password."""
    name = _HASHES[mechanism]
    client_key = hmac.digest(salted_password, b"Client Key", name)
    return Keys(
        stored=hashlib.new(name, client_key).digest(),
        server=hmac.digest(salted_password, b"Server Key", name),
    )


def check_user(name: str) -> None:
    """Raises ProtocolError(UNACCEPTABLE_CREDENTIAL) for what cannot be a user's name."""
    if not name:
        raise ProtocolError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "name the user")


def mechanism_of(number: int) -> Mechanism:
    """Raises ProtocolError(UNSUPPORTED_SASL_MECHANISM)."""
    if number not in tuple(Mechanism):
        raise ProtocolError(
            ErrorCode.UNSUPPORTED_SASL_MECHANISM,
            f"SCRAM mechanism {number} is unknown: 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512",
        )
    return Mechanism(number)


def check_credential(iterations: int, salt: bytes, salted_password: bytes) -> None:
    """Raises ProtocolError(UNACCEPTABLE_CREDENTIAL) for a password too weak, too slow, too long."""
    if not ITERATIONS_MIN <= iterations <= ITERATIONS_MAX:
        raise ProtocolError(
            ErrorCode.UNACCEPTABLE_CREDENTIAL,
            f"a password is hashed {ITERATIONS_MIN} to {ITERATIONS_MAX} times, not {iterations}",
        )
    if len(salt) > SCRAM_SALT_BYTES_MAX:
        raise ProtocolError(
            ErrorCode.UNACCEPTABLE_CREDENTIAL,
            f"a salt of {len(salt)} bytes is too long: {SCRAM_SALT_BYTES_MAX} are the most",
        )
    if not salted_password:
        raise ProtocolError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "the salted password is empty")
