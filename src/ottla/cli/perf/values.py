"""Values to send: letters at random, so that they neither compress well nor not at all."""

from __future__ import annotations

import random
import string
from typing import Final

_DIFFERENT: Final = 256
_LETTERS: Final = string.ascii_letters.encode()


def random_values(count: int, size_bytes: int) -> list[bytes]:
    """Of this size each; a few hundred of them, again and again."""
    letters = random.Random(size_bytes)  # noqa: S311 # the same load every time, no secret
    pool = [bytes(letters.choices(_LETTERS, k=size_bytes)) for _ in range(min(count, _DIFFERENT))]
    return [pool[n % len(pool)] for n in range(count)]
