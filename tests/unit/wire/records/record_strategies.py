"""Hypothesis strategies of records, and damage to what was made of them."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from ottla.wire.records.record import Record

# Lengths around those where a varint grows by a byte; mapped, because Hypothesis prints strategies.
_CONTENTS = st.binary(max_size=8) | st.sampled_from([0, 63, 64, 127, 128, 9000]).map(bytes)
_NULLABLE = st.none() | _CONTENTS
_HEADERS = st.lists(st.tuples(st.text(max_size=5), _NULLABLE), max_size=3).map(tuple)
_TIMES = st.just(-1) | st.integers(0, 300) | st.integers(1_795_000_000_000, 1_795_000_100_000)

any_records = st.lists(
    st.builds(
        Record,
        timestamp=_TIMES | st.integers(-1, 2**63 - 2),
        key=_NULLABLE,
        value=_NULLABLE,
        headers=st.just(()) | _HEADERS,
    ),
    min_size=1,
    max_size=12,
)


def damaged(content: bytes, seed: int, *, first: int = 0) -> bytes:
    """A few bytes from `first` on changed, put in, or taken away."""
    rng = random.Random(seed)
    out = bytearray(content)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(first, len(out) + 1)
        what = rng.randrange(4)
        if what == 0 and at < len(out):
            out[at] = rng.choice([0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif what == 1 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            out[at:at] = rng.randbytes(rng.randrange(1, 12))
        else:
            del out[at : at + rng.randrange(1, 12)]
    return bytes(out)
