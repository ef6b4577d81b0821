"""What somebody typed about how records are printed."""

from __future__ import annotations

import msgspec


class PrintWish(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a text, or a format that says more."""

    format: str = "text"
    key_form: str | None = None
    value_form: str | None = None
    keys: bool = False
    headers: bool = False
    places: bool = False
    times: bool = False
    separator: str = "\\t"
    """Like the delimiter with \\n, \\t and so on as they were typed."""
    delimiter: str | None = None
    """None for a new line, or for nothing between raw values."""
    null: str = "null"
