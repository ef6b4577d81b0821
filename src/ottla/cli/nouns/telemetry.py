"""Subscriptions of client metrics, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.client_metrics import Subscription

COLUMNS: Final = {
    "name": "subscription",
    "metrics": "metrics",
    "interval_ms": "every (ms)",
    "match": "of clients",
}


async def check_there(admin: Admin, name: str) -> None:
    """Brokers describe and delete what they do not have. Raises UserError for it."""
    if name not in await admin.client_metrics.list():
        raise UserError(f"there is no subscription {name!r}: `ottla telemetry list` shows them")


def subscription_row(name: str, subscription: Subscription) -> dict[str, object]:
    """What it sets; None for what it does not."""
    return {
        "name": name,
        "metrics": subscription.metrics,
        "interval_ms": subscription.interval_ms,
        "match": subscription.match,
    }
