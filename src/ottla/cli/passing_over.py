"""Refusals that somebody said are fine, as by `--if-exists`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ottla.base.errors import ErrorCode
    from ottla.client.admin.outcomes import Outcomes

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")


def without(outcomes: Outcomes[Item, Result], code: ErrorCode) -> Outcomes[Item, Result]:
    """The outcomes of all items that were not refused with this code."""
    from ottla.client.admin.outcomes import Outcomes

    errors = {
        item: error
        for item, error in outcomes.errors.items()
        if getattr(error, "code", None) is not code
    }
    return Outcomes(outcomes.done, errors)
