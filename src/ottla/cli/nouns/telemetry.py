"""Subscriptions of client metrics, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ottla.client.admin.client_metrics import Subscription

COLUMNS: Final = {
    "name": "subscription",
    "metrics": "metrics",
    "interval_ms": "every (ms)",
    "match": "of clients",
}


def subscription_row(name: str, subscription: Subscription) -> dict[str, object]:
    """What it sets; None for what it does not."""
    return {
        "name": name,
        "metrics": subscription.metrics,
        "interval_ms": subscription.interval_ms,
        "match": subscription.match,
    }
