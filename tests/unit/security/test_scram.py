"""What is kept of a password."""

from __future__ import annotations

import base64
import hashlib

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.security.scram import Mechanism, check_credential, check_user, keys_of, mechanism_of


def test_the_keys_are_those_of_the_example_in_rfc_7677() -> None:
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", salt, 4096)
    keys = keys_of(Mechanism.SCRAM_SHA_256, salted)
    assert base64.b64encode(keys.stored) == b"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    assert base64.b64encode(keys.server) == b"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="


def test_each_mechanism_has_its_own_hash() -> None:
    assert [len(keys_of(each, b"salted").stored) for each in Mechanism] == [32, 64]


@pytest.mark.parametrize(("iterations", "salted"), [(4095, b"p"), (16385, b"p"), (4096, b"")])
def test_a_weak_a_slow_and_an_empty_password_are_refused(iterations: int, salted: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        check_credential(iterations, b"salt", salted)
    assert refused.value.code is ErrorCode.UNACCEPTABLE_CREDENTIAL
    check_credential(4096, b"salt", b"p")
    check_credential(16384, b"salt", b"p")


@pytest.mark.parametrize("number", [0, 3, -1])
def test_an_unknown_mechanism_is_refused(number: int) -> None:
    with pytest.raises(ProtocolError) as refused:
        mechanism_of(number)
    assert refused.value.code is ErrorCode.UNSUPPORTED_SASL_MECHANISM


def test_a_user_has_a_name() -> None:
    check_user("alice")
    with pytest.raises(ProtocolError):
        check_user("")
