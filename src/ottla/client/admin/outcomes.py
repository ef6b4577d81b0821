"""What became of each of many items: some may be done where others were refused."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Generic, TypeVar

from ottla.base.errors import ErrorCode, UserError
from ottla.client.admin.errors import UnsupportedByBrokerError
from ottla.client.errors import RefusedError
from ottla.client.remedies import known_error

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
W = TypeVar("W")


Answers = Mapping[K, V | RefusedError | UnsupportedByBrokerError]
"""What one node says of items: a result or a refusal of each, or that it cannot be asked."""


class Outcomes(Generic[K, V]):
    """The result of each item, or its error; in the order in which the items were given.

    outcomes = await admin.topics.delete("orders", "prices")
    outcomes.all()          # every result by item, or the first error is raised
    outcomes["orders"]      # the result of one item, or its error is raised
    outcomes.done           # the results there are
    outcomes.errors         # the errors there are

    An error is RefusedError (what the node answered), DeadlineError (the time was over before),
    or UnsupportedByBrokerError, where another item's broker offers what this one's does not.
    """

    def __init__(self, done: Mapping[K, V], errors: Mapping[K, UserError]) -> None:
        self.done = done
        self.errors = errors

    @classmethod
    def of(cls, answers: Answers[K, V]) -> Outcomes[K, V]:
        """The results and the refusals of one answer."""
        done: dict[K, V] = {}
        errors: dict[K, UserError] = {}
        for item, answer in answers.items():
            if isinstance(answer, RefusedError | UnsupportedByBrokerError):
                errors[item] = answer
            else:
                done[item] = answer
        return cls(done, errors)

    def all(self) -> dict[K, V]:
        """Every result. Raises the first error, where there is any."""
        for error in self.errors.values():
            raise error
        return dict(self.done)

    def error(self, item: K) -> UserError | None:
        """What went wrong with an item. Raises KeyError for one that was not asked for."""
        if item not in self:
            raise KeyError(item)
        return self.errors.get(item)

    def __getitem__(self, item: K) -> V:
        """The result of an item. Raises its error; KeyError for one that was not asked for."""
        if item in self.errors:
            raise self.errors[item]
        return self.done[item]

    def __contains__(self, item: object) -> bool:
        return item in self.done or item in self.errors

    def __iter__(self) -> Iterator[K]:
        """All items: those that are done, then those that are not."""
        yield from self.done
        yield from self.errors

    def __len__(self) -> int:
        return len(self.done) + len(self.errors)

    def __repr__(self) -> str:
        return f"Outcomes(done={dict(self.done)!r}, errors={dict(self.errors)!r})"


def refusal(code: int, message: str | None, what: object) -> RefusedError:
    """An error code of an answer, with the broker's words or, without any, what it is about."""
    return RefusedError(known_error(code), message or str(what))


def verdict(code: int, message: str | None, what: object, value: V) -> V | RefusedError:
    """The value where the code says that nothing is wrong, the refusal where it does."""
    return refusal(code, message, what) if code else value


def left_out(item: object) -> RefusedError:
    """For an item that was asked about, and of which the answer says nothing."""
    return RefusedError(ErrorCode.UNKNOWN_SERVER_ERROR, f"the answer leaves out {item}")


def check(code: int, message: str | None, what: object) -> None:
    """For an error of a whole answer. Raises RefusedError."""
    if code != ErrorCode.NONE:
        raise refusal(code, message, what)
