from __future__ import annotations

from ottla.quotas.rate import Windows
from ottla.quotas.token_bucket import TokenBucket

HUNDRED = Windows(100, 1000)


def test_what_is_owed_comes_back_at_the_rate() -> None:
    bucket = TokenBucket(5, HUNDRED, 0)
    bucket.take(560, 5, HUNDRED, 0)
    assert bucket.throttle_ms(5, HUNDRED, 0) == 12_000
    assert bucket.throttle_ms(5, HUNDRED, 11_999) == 1
    assert bucket.throttle_ms(5, HUNDRED, 12_000) == 0


def test_a_bucket_never_holds_more_than_its_windows() -> None:
    bucket = TokenBucket(5, HUNDRED, 0)
    bucket.take(501, 5, HUNDRED, 10**9)
    assert bucket.throttle_ms(5, HUNDRED, 10**9) == 200


def test_another_rate_holds_at_once() -> None:
    bucket = TokenBucket(5, HUNDRED, 0)
    bucket.take(0, 1, HUNDRED, 0)
    bucket.take(110, 1, HUNDRED, 0)
    assert bucket.throttle_ms(1, HUNDRED, 0) == 10_000
    assert bucket.throttle_ms(10, HUNDRED, 0) == 1000
