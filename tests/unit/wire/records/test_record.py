from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import ProtocolError
from ottla.wire.records.batch import build_batch, read_header
from ottla.wire.records.control import ControlType, control_key, control_type
from ottla.wire.records.record import Record, null_key_indexes, read_varint, write_varint


@given(value=st.integers(-(2**63), 2**63 - 1))
def test_varints_come_back(value: int) -> None:
    out = bytearray()
    write_varint(out, value)
    assert len(out) <= 10
    assert read_varint(bytes(out), 0) == (value, len(out))


def test_known_varints() -> None:
    known = {0: b"\x00", -1: b"\x01", 1: b"\x02", 63: b"\x7e", -64: b"\x7f", 64: b"\x80\x01"}
    for value, encoded in known.items():
        out = bytearray()
        write_varint(out, value)
        assert bytes(out) == encoded


def test_an_endless_varint_is_refused() -> None:
    with pytest.raises(ProtocolError):
        read_varint(b"\xff" * 20, 0)


def test_null_keys_are_found_by_their_index() -> None:
    batch = build_batch([Record(key=b"a"), Record(), Record(key=b""), Record()])
    assert null_key_indexes(batch, read_header(batch)) == [1, 3]


@pytest.mark.parametrize("kind", ControlType)
def test_control_keys_come_back(kind: ControlType) -> None:
    assert control_type(control_key(kind)) is kind


@pytest.mark.parametrize("key", [None, b"", b"\x00\x00\x00", b"\x00\x00\x00\x63"])
def test_what_is_no_control_key_is_refused(key: bytes | None) -> None:
    with pytest.raises(ProtocolError):
        control_type(key)
