"""Numbers and dates as Java writes them, for programs that read the output of Kafka's tools."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Final

from ottla.base.errors import UserError

_PLAIN_FROM: Final = 1e-3
_PLAIN_BELOW: Final = 1e7


def java_double(value: float) -> str:
    """As `Double.toString`: 1024.0, 1.0E7, 1.23456789E8."""
    if value == 0 or _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        return repr(float(value))
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    assert isinstance(exponent, int)
    rest = "".join(map(str, digits[1:])) or "0"
    return f"{'-' * sign}{digits[0]}.{rest}E{exponent + len(digits) - 1}"


_DATE: Final = {
    "yyyy": "%Y",
    "yy": "%y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "hh": "%I",
    "mm": "%M",
    "ss": "%S",
    "a": "%p",
    "Z": "%z",
    "EEE": "%a",
    "MMM": "%b",
}
_RUN: Final = re.compile(r"'([^']*)'|([A-Za-z])\2*|[^A-Za-z']+")


def java_date(moment: datetime, form: str) -> str:
    """By a form of `SimpleDateFormat`. Raises UserError for letters that are not known here."""
    return "".join(_date_part(moment, found) for found in _RUN.finditer(form))


def _date_part(moment: datetime, found: re.Match[str]) -> str:
    run = found[0]
    if run.startswith("'"):
        return found[1] or "'"
    if run == "SSS":
        return f"{moment.microsecond // 1000:03}"
    if not run[0].isalpha():
        return run
    if run not in _DATE:
        raise UserError(f"dates are not written by {run!r} here: {', '.join(_DATE)} and SSS are")
    return moment.strftime(_DATE[run])
