"""The blocking classes are held to the asyncio ones: every method and setting, by its signature."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any

import pytest

import ottla.blocking as blocking
from ottla import Admin, Consumer, Delivery, Producer
from ottla.client.producer import BatchDelivery

TWINS = [
    (Producer, blocking.Producer),
    (Consumer, blocking.Consumer),
    (Admin, blocking.Admin),
    (Delivery, blocking.Delivery),
    (BatchDelivery, blocking.BatchDelivery),
]
OTHERWISE = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}
OF_THE_LOOP = {"start_on", "reader", "check_open", "where", "add", "__await__", "Delivery.start"}
"""For tests and for the blocking classes themselves; they make no sense without a loop."""
ADDED = {"on_delivery", "timeout_s"}
"""Parameters that only the blocking ones have, where they have them."""


def public(kind: type[Any]) -> dict[str, Any]:
    """Methods and properties, also those that stand for syntax."""
    return {
        name: member
        for base in reversed(kind.__mro__)
        for name, member in vars(base).items()
        if base.__module__.startswith("ottla.")
        and (not name.startswith("_") or name in OTHERWISE or name in OTHERWISE.values())
        and (inspect.isfunction(member) or isinstance(member, property))
    }


def parameters(member: Any, own: str = "") -> dict[str, tuple[Any, ...]]:
    function: Any = member.fget if isinstance(member, property) else member
    return {
        name: (
            parameter.kind,
            parameter.default,
            str(parameter.annotation).replace(f"[{own}]", "[Self]"),
        )
        for name, parameter in inspect.signature(function).parameters.items()
    }


def compare(asyncio_kind: type[Any], blocking_kind: type[Any]) -> list[str]:
    """What is missing or different, by name."""
    there = public(blocking_kind)
    wrong = []
    for name, member in public(asyncio_kind).items():
        if {name, f"{asyncio_kind.__name__}.{name}"} & OF_THE_LOOP:
            continue
        twin = there.get(OTHERWISE.get(name, name))
        if twin is None:
            wrong.append(f"{name} is missing")
        elif isinstance(twin, property) != isinstance(member, property):
            wrong.append(f"{name} is a property in one of them only")
        else:
            wanted = parameters(member, asyncio_kind.__name__)
            found = parameters(twin)
            extra = {key: value for key, value in found.items() if key not in wanted}
            if {key: found.get(key) for key in wanted} != wanted or extra.keys() - ADDED:
                wrong.append(f"{name} takes {found}, not {wanted}")
    return wrong


@pytest.mark.parametrize(("asyncio_kind", "blocking_kind"), TWINS)
def test_every_method_has_its_twin_with_the_same_parameters(
    asyncio_kind: type[Any], blocking_kind: type[Any]
) -> None:
    assert compare(asyncio_kind, blocking_kind) == []


@pytest.mark.parametrize(("asyncio_kind", "blocking_kind"), TWINS[:3])
def test_settings_are_taken_in_the_same_way(
    asyncio_kind: type[Any], blocking_kind: type[Any]
) -> None:
    assert parameters(asyncio_kind.__init__) == parameters(blocking_kind.__init__)


def test_no_twin_is_a_coroutine() -> None:
    for _, kind in TWINS:
        for name, member in public(kind).items():
            assert not inspect.iscoroutinefunction(member), name


def test_every_subject_of_administration_has_its_twin() -> None:
    here, there = Admin("unused:1"), blocking.Admin("unused:1")
    subjects = [name for name, kind in vars(Admin).items() if isinstance(kind, cached_property)]
    assert len(subjects) > 5
    for name in subjects:
        twin = getattr(there, name)
        assert compare(type(getattr(here, name)), type(twin)) == [], name
        assert type(twin).__module__.startswith("ottla.blocking.")


def test_a_missing_method_or_parameter_is_noticed() -> None:
    class Short:
        """Without its one method."""

    class Other:
        def close(self, timeout: float) -> None:
            """With another parameter."""

    class Whole:
        def close(self, *, timeout_ms: float) -> None:
            """As it should be."""

    for kind in (Short, Other, Whole):
        kind.__module__ = "ottla.test"
    assert compare(Whole, Short) == ["close is missing"]
    assert "close takes" in compare(Whole, Other)[0]
    assert compare(Whole, Whole) == []
