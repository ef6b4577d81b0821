"""Requests by API and version, and who waits for what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ottla.base.errors import ErrorCode
from ottla.broker.fetch import FetchPath
from ottla.broker.metrics import catalogue as metrics
from ottla.broker.metrics.families import (
    Part,
    Sample,
    add_histogram,
    family,
    histogram,
    parts,
    single,
)
from ottla.broker.request_log import BUCKET_ENDS_SECONDS, SECOND_NS, RequestLog, RequestTotals
from ottla.wire.schema import requests as request_types


class RequestMetrics:
    """Of one broker."""

    def __init__(self, requests: RequestLog, fetch: FetchPath) -> None:
        self._requests = requests
        self._fetch = fetch

    def __call__(self) -> Iterator[Part]:
        by_api: dict[str, list[RequestTotals]] = defaultdict(list)
        for totals in self._requests.totals():
            by_api[api_name(totals.api_key)].append(totals)
        yield from parts(metrics.REQUESTS, _counts(by_api))
        for api, versions in by_api.items():
            yield _durations(api, versions)
        yield family(
            metrics.REQUEST_BYTES,
            [((api,), sum(each.request_bytes for each in of)) for api, of in by_api.items()],
        )
        yield family(
            metrics.RESPONSE_BYTES,
            [((api,), sum(each.response_bytes for each in of)) for api, of in by_api.items()],
        )
        yield from parts(metrics.REFUSALS, _refusals(dict(self._requests.refusals)))
        yield single(metrics.FETCHES_WAITING, self._fetch.waiting_count)
        yield single(metrics.FETCH_SESSIONS, self._fetch.session_count)


def api_name(api_key: int) -> str:
    """As Kafka names it."""
    return request_types[api_key].__name__.removesuffix("Request")


def _counts(by_api: dict[str, list[RequestTotals]]) -> Iterator[Sample]:
    for api, versions in by_api.items():
        for totals in versions:
            yield (api, str(totals.version)), totals.requests


def _refusals(counts: dict[tuple[int, int], int]) -> Iterator[Sample]:
    for (api_key, error), count in counts.items():
        yield (api_name(api_key), ErrorCode(error).name), count


def _durations(api: str, versions: list[RequestTotals]) -> Part:
    found = histogram(metrics.REQUEST_SECONDS)
    add_histogram(
        found,
        (api,),
        ends=BUCKET_ENDS_SECONDS,
        buckets=[sum(each) for each in zip(*(of.buckets for of in versions), strict=True)],
        count=sum(totals.requests for totals in versions),
        total=sum(totals.duration_ns for totals in versions) / SECOND_NS,
    )
    return found
