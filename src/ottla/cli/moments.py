"""Times and durations as people type them, in milliseconds."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    _Milliseconds = click.ParamType[int]
else:  # older versions of click have no type of what comes out
    _Milliseconds = click.ParamType

_UNITS_MS: Final = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_PARTS: Final = re.compile(rf"(?:{_PART.pattern})+")
_ISO: Final = re.compile(
    r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE
)
_ISO_UNITS: Final = ("w", "d", "h", "m", "s")
_DAYS_AGO: Final = {"today": 0, "yesterday": 1}
_EPOCH: Final = re.compile(r"@(\d+)")
_LEAST_MILLISECONDS: Final = 100_000_000_000
"""From here on a number after @ is one of milliseconds: as seconds it were the year 5138."""

_MOST_MILLISECONDS: Final = 2**63 - 1
"""What a field of the protocol holds."""
_LAST_MS: Final = 2**63 - 1
"""What Kafka's messages can say."""

DURATION_FORMS: Final = "90s, 5m, 1h30m, 2d or PT1H30M"
TIME_FORMS: Final = "2026-05-01, 2026-05-01T12:30, now, today, yesterday, 5m (ago) or @1777600000"


def parse_duration_ms(text: str) -> int | None:
    """`1h30m`, `250ms`, `PT1H30M`; None for what is none."""
    text = text.strip()
    if _PARTS.fullmatch(text):
        return round(sum(float(n) * _UNITS_MS[unit] for n, unit in _PART.findall(text)))
    iso = _ISO.fullmatch(text)
    if iso is None or not any(iso.groups()):
        return None
    return round(
        sum(
            float(n) * _UNITS_MS[unit]
            for n, unit in zip(iso.groups(), _ISO_UNITS, strict=True)
            if n is not None
        )
    )


def parse_time_ms(text: str, *, now_ms: int) -> int | None:
    """A moment, in milliseconds since 1970; None for what is none.

    Without a zone it is one of this machine's clock. A duration is so long ago.
    """
    text = text.strip()
    ago_ms = parse_duration_ms(text.removeprefix("-").removesuffix(" ago"))
    if ago_ms is not None:
        return max(0, now_ms - ago_ms)
    epoch = _EPOCH.fullmatch(text)
    if epoch is not None:
        number = int(epoch[1])
        time_ms = number if number >= _LEAST_MILLISECONDS else number * 1000
        return time_ms if time_ms <= _LAST_MS else None
    return _named_ms(text.lower(), now_ms) if text.isalpha() else _calendar_ms(text)


def _named_ms(name: str, now_ms: int) -> int | None:
    if name == "now":
        return now_ms
    if name not in _DAYS_AGO:
        return None
    # Without a zone until the day is found: midnight may have another distance from UTC than now.
    today = datetime.fromtimestamp(now_ms / 1000).astimezone().replace(tzinfo=None)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
    return _ms((midnight - timedelta(days=_DAYS_AGO[name])).astimezone())


def _calendar_ms(text: str) -> int | None:
    try:
        read = datetime.fromisoformat(text)
        return max(0, _ms(read if read.tzinfo else read.astimezone()))
    except (ValueError, OverflowError):
        return None


def _ms(read: datetime) -> int:
    return round(read.timestamp() * 1000)


def format_time(time_ms: int) -> str:
    """In this machine's zone, as 2026-05-01T12:30:00.000+02:00; `-` for none."""
    local = local_time(time_ms)
    if local is None:
        return "-" if time_ms < 0 else f"@{time_ms}"
    return local.isoformat(timespec="milliseconds")


def local_time(time_ms: int) -> datetime | None:
    """In this machine's zone; None for none, and where no calendar has the year."""
    if time_ms < 0:
        return None
    try:
        return datetime.fromtimestamp(time_ms / 1000).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def format_duration(duration_ms: float) -> str:
    """The two largest units, as `1h30m`; below a minute as `4.2s`."""
    if duration_ms < 1_000:
        return f"{round(duration_ms)}ms"
    if duration_ms < 60_000:
        return f"{duration_ms / 1000:.1f}s"
    left = round(duration_ms / 1000) * 1000
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS_MS[unit])
        if count and len(parts) < 2:
            parts.append(f"{count}{unit}")
        elif parts:
            break
    return "".join(parts)


class Duration(_Milliseconds):
    """The type of an option in milliseconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Fails with the forms that are understood."""
        parsed = value if isinstance(value, int) else parse_duration_ms(str(value))
        if parsed is None or parsed > _MOST_MILLISECONDS:
            self.fail(f"{value!r} is no duration, as {DURATION_FORMS}", param, ctx)
        return parsed


class Moment(_Milliseconds):
    """The type of an option in milliseconds since 1970."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Fails with the forms that are understood."""
        if isinstance(value, int):
            return value
        from ottla.transport.clock import SystemClock

        parsed = parse_time_ms(str(value), now_ms=SystemClock().now_ms())
        if parsed is None or parsed > _MOST_MILLISECONDS:
            self.fail(f"{value!r} is no time, as {TIME_FORMS}", param, ctx)
        return parsed
