"""How a measurement is told: what, how much, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Bound(Enum):
    """On which side of its budget a figure has to be."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure, with its budget where it has one."""

    what: str
    value: float
    unit: str
    budget: float | None = None
    bound: Bound = Bound.AT_MOST
    note: str = ""

    @property
    def within_budget(self) -> bool:
        if self.budget is None:
            return True
        return (
            self.value <= self.budget if self.bound is Bound.AT_MOST else self.value >= self.budget
        )

    def line(self) -> str:
        budget = ""
        if self.budget is not None:
            verdict = "ok" if self.within_budget else "OVER"
            budget = f"{self.bound.value} {self.budget:g} {self.unit}  {verdict}"
        return f"  {self.what:<46} {self.value:>10.2f} {self.unit:<14} {budget:<28} {self.note}"
