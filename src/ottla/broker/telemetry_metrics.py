"""What clients have pushed: OpenTelemetry's MetricsData, opened, as series with their last value.

Needs the package opentelemetry-proto (`pip install ottla[telemetry]`), which is imported with the
first push.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import (
    TELEMETRY_LABELS_MAX,
    TELEMETRY_PARTS_MAX,
    TELEMETRY_SERIES_LENGTH_MAX,
    TELEMETRY_SERIES_PER_CLIENT_MAX,
    TELEMETRY_TEXT_LENGTH_MAX,
)

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, MetricsData, NumberDataPoint

T = TypeVar("T")

Labels = tuple[tuple[str, str], ...]


class SampleKind(Enum):
    """As Prometheus has them."""

    COUNTER = "counter"
    GAUGE = "gauge"


class Sample(NamedTuple):
    """One number of one client."""

    name: str
    kind: SampleKind
    labels: Labels
    value: float


class Change(NamedTuple):
    """What a push says of one series: a value, or with `adds` what came since the last push."""

    name: str
    kind: SampleKind
    labels: Labels
    value: float
    adds: bool


def can_open() -> bool:
    """Whether what clients push can be opened here."""
    try:
        return find_spec("opentelemetry.proto.metrics") is not None
    except ModuleNotFoundError:
        return False


class ClientSeries:
    """The series of one client; those beyond a bound are not kept, but counted."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, SampleKind, Labels], float] = {}
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._values)

    def apply(self, changes: Iterable[Change], *, room: int) -> None:
        """Take a push; `room` is for how many new series there is some."""
        self.left_out = 0
        most = min(TELEMETRY_SERIES_PER_CLIENT_MAX, len(self._values) + room)
        for name, kind, labels, value, adds in changes:
            key = name, kind, labels
            before = self._values.get(key)
            if before is None and (len(self._values) >= most or _is_wordy(name, labels)):
                self.left_out += 1
            else:
                self._values[key] = value + (before or 0.0) if adds else value

    def samples(self) -> Iterator[Sample]:
        # A copy: whoever tells them does it in many turns, and the client pushes in between.
        for (name, kind, labels), value in list(self._values.items()):
            yield Sample(name, kind, labels, value)


def _is_wordy(name: str, labels: Labels) -> bool:
    length = len(name) + sum(len(label) + len(text) for label, text in labels)
    return length > TELEMETRY_SERIES_LENGTH_MAX


def opened(payload: bytes) -> Iterator[Change]:
    """The changes of one push, of gauges, sums and histograms' counts and sums.

    Of its parts the first TELEMETRY_PARTS_MAX are looked at.
    Raises ProtocolError(INVALID_RECORD) before the first where it is none.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has no types
    from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

    data = MetricsData()
    try:
        data.ParseFromString(payload)
    except DecodeError as error:
        raise ProtocolError(ErrorCode.INVALID_RECORD, f"no MetricsData: {error}") from None
    return _changes_of(data)


class _Parts:
    """The parts of one push that are looked at: the first ones, whatever they are."""

    def __init__(self) -> None:
        self._left = TELEMETRY_PARTS_MAX

    def of(self, parts: Iterable[T]) -> Iterator[T]:
        for part in parts:
            if self._left <= 0:
                return
            self._left -= 1
            yield part

    def labels(self, attributes: Sequence[KeyValue]) -> dict[str, str]:
        """All of one point or none: with a part of them it would be another series."""
        self._left -= min(len(attributes), TELEMETRY_LABELS_MAX)
        return _labels(attributes)


def _changes_of(data: MetricsData) -> Iterator[Change]:
    parts = _Parts()
    for of_resource in parts.of(data.resource_metrics):
        labels = parts.labels(of_resource.resource.attributes)
        for of_scope in parts.of(of_resource.scope_metrics):
            for metric in parts.of(of_scope.metrics):
                yield from _changes(metric, labels, parts)


def _changes(metric: Metric, outer: Mapping[str, str], parts: _Parts) -> Iterator[Change]:
    name = metric.name[:TELEMETRY_TEXT_LENGTH_MAX]
    match metric.WhichOneof("data"):
        case "gauge":
            for point in parts.of(metric.gauge.data_points):
                labels = _merged(outer, parts.labels(point.attributes))
                yield Change(name, SampleKind.GAUGE, labels, _number(point), adds=False)
        case "sum":
            adds = _is_delta(metric.sum.aggregation_temporality)
            kind = SampleKind.COUNTER if metric.sum.is_monotonic else SampleKind.GAUGE
            for point in parts.of(metric.sum.data_points):
                labels = _merged(outer, parts.labels(point.attributes))
                yield Change(name, kind, labels, _number(point), adds)
        case "histogram":
            adds = _is_delta(metric.histogram.aggregation_temporality)
            for measured in parts.of(metric.histogram.data_points):
                labels = _merged(outer, parts.labels(measured.attributes))
                counted = float(measured.count)
                yield Change(f"{name}.count", SampleKind.COUNTER, labels, counted, adds)
                yield Change(f"{name}.sum", SampleKind.COUNTER, labels, measured.sum, adds)


def _is_delta(temporality: int) -> bool:
    from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA

    return temporality == int(AGGREGATION_TEMPORALITY_DELTA)


def _number(point: NumberDataPoint) -> float:
    return point.as_double if point.WhichOneof("value") == "as_double" else float(point.as_int)


def _merged(outer: Mapping[str, str], inner: Mapping[str, str]) -> Labels:
    return tuple(sorted({**outer, **inner}.items()))[:TELEMETRY_LABELS_MAX]


def _labels(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {
        attribute.key[:TELEMETRY_TEXT_LENGTH_MAX]: _text(attribute.value)
        for attribute in islice(attributes, TELEMETRY_LABELS_MAX)
    }


def _text(value: AnyValue) -> str:
    """As a label has it; what is composed of others is left empty."""
    kind = value.WhichOneof("value")
    match kind:
        case "string_value":
            return value.string_value[:TELEMETRY_TEXT_LENGTH_MAX]
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value" | "double_value":
            return str(getattr(value, kind))
        case _:
            return ""
