"""What members of a group told, and what must be true of it, whoever they are.

Pure: it takes what was told and what was done to the members, and returns what is wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

FOREVER = float("inf")
ENDS_STINT = ("revoked", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a member told (`assigned`, `read`, …), or what was done to it (`killed`, `paused`)."""

    at: float
    member: str
    did: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Stint:
    """A member owns a partition from one moment to another, in one or more generations.

    A member that is paused owns nothing any more, though it believes so until it is told.
    """

    member: str
    partition: int
    since: float
    first_generation: int
    last_generation: int
    until: float = FOREVER
    believed_until: float = FOREVER

    def overlaps(self, other: Stint) -> bool:
        return self.since < other.until and other.since < self.until

    def shares_generation(self, other: Stint) -> bool:
        return (
            self.first_generation <= other.last_generation
            and other.first_generation <= self.last_generation
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Of one partition; `acked_at` is None where no answer was seen, or a refusal."""

    member: str
    asked_at: float
    acked_at: float | None
    offset: int


class Ledger:
    """All that was told, by time."""

    def __init__(self, told: Sequence[Told], instances: Mapping[str, str] | None = None) -> None:
        """`instances` names static members: who comes under the name of another is that one."""
        self._instances = instances or {}
        self.told = sorted(told, key=lambda each: each.at)
        self.wrong: list[str] = []
        self.stints: dict[int, list[Stint]] = defaultdict(list)
        self.commits: dict[int, list[Commit]] = defaultdict(list)
        self._held: dict[str, dict[int, Stint]] = defaultdict(dict)
        self._asked: dict[str, tuple[float, Mapping[str, int]]] = {}
        for each in self.told:
            self._take(each)
        self._first_reads = self._find_first_reads()

    # -- taking down -----------------------------------------------------------------------------

    def _take(self, told: Told) -> None:
        if told.did == "assigned":
            self._assigned(told)
        elif told.did in ENDS_STINT:
            self._gave_up(told)
        elif told.did in {"killed", "paused"}:
            self._stopped(told)
        elif told.did == "committing":
            self._asked[told.member] = (told.at, told.facts["offsets"])
        elif told.did in {"committed", "refused"}:
            self._answered(told)
        elif told.did == "failed":
            self._stopped(told)
        elif told.did == "closed" and self._held[told.member]:
            self._complain(told, f"closed and never gave up {sorted(self._held[told.member])}")

    def _complain(self, told: Told, what: str) -> None:
        self.wrong.append(f"{told.at:.3f} {told.member}: {what}")

    def _assigned(self, told: Told) -> None:
        held, generation = self._held[told.member], told.facts["generation"]
        if generation < 0:
            self._complain(told, f"is assigned partitions in generation {generation}")
        for stint in held.values():
            stint.last_generation = generation
        for partition in told.facts["partitions"]:
            if partition in held:
                self._complain(told, f"is assigned {partition}, which it has")
            stint = Stint(
                member=told.member,
                partition=partition,
                since=told.at,
                first_generation=generation,
                last_generation=generation,
            )
            held[partition] = stint
            self.stints[partition].append(stint)

    def _gave_up(self, told: Told) -> None:
        for partition in told.facts["partitions"]:
            stint = self._held[told.member].pop(partition, None)
            if stint is None:
                self._complain(told, f"{told.did} {partition}, which it does not have")
                continue
            stint.until = min(stint.until, told.at)
            stint.believed_until = told.at

    def _stopped(self, told: Told) -> None:
        for stint in self._held[told.member].values():
            stint.until = told.at
            if told.did != "paused":
                stint.believed_until = told.at
        if told.did != "paused":
            self._held[told.member].clear()
            self._unanswered(told.member)

    def _answered(self, told: Told) -> None:
        acked_at = told.at if told.did == "committed" else None
        self._note_commit(told.member, acked_at)

    def _unanswered(self, member: str) -> None:
        if member in self._asked:
            self._note_commit(member, None)

    def _note_commit(self, member: str, acked_at: float | None) -> None:
        asked_at, offsets = self._asked.pop(member)
        for partition, offset in offsets.items():
            commit = Commit(member=member, asked_at=asked_at, acked_at=acked_at, offset=offset)
            self.commits[int(partition)].append(commit)

    # -- what must hold --------------------------------------------------------------------------

    def violations(self, produced: Mapping[int, int], *, fenced: str = "") -> list[str]:
        """All that is wrong; `produced` says how many records each partition has.

        The member `fenced` has failed because another one has its name.
        """
        found = [*self.wrong, *self._two_owners(), *self._generations_that_go_back()]
        found += [*self._commits_of_nobody(), *self._bad_starts(), *self._unread(produced)]
        return found + [
            f"{each.at:.3f} {each.member}: {each.facts['error']}"
            for each in self.told
            if each.did == "failed" and each.member != fenced
        ]

    def _pairs(self) -> Iterator[tuple[Stint, Stint]]:
        """Stints of two members on one partition; of one name, the older one is fenced."""
        for stints in self.stints.values():
            for index, first in enumerate(stints):
                for second in stints[index + 1 :]:
                    if self._identity(first) != self._identity(second):
                        yield first, second

    def _identity(self, stint: Stint) -> str:
        return self._instances.get(stint.member, stint.member)

    def _two_owners(self) -> Iterator[str]:
        for first, second in self._pairs():
            if first.overlaps(second):
                yield f"two own partition {first.partition} at a time: {first} {second}"
            if first.shares_generation(second):
                yield f"two own partition {first.partition} in a generation: {first} {second}"

    def _generations_that_go_back(self) -> Iterator[str]:
        for partition, stints in self.stints.items():
            for before, after in pairwise(stints):
                if after.first_generation < before.last_generation:
                    yield f"partition {partition} goes back a generation: {before} {after}"

    def _commits_of_nobody(self) -> Iterator[str]:
        """A member's commit took place although another one had been given the partition."""
        for partition, commits in self.commits.items():
            for commit in commits:
                own = self._stint_at(partition, commit.member, commit.asked_at)
                if commit.acked_at is None:
                    continue
                if own is None:
                    yield f"partition {partition}: {commit} by one who does not own it"
                    continue
                for other in self.stints[partition]:
                    is_later = other.member != own.member and other.since > own.since
                    if is_later and other.since < commit.asked_at:
                        yield f"partition {partition}: {commit}, but {other} owned it"

    def _stint_at(self, partition: int, member: str, at: float) -> Stint | None:
        for stint in self.stints[partition]:
            if stint.member == member and stint.since <= at <= stint.believed_until:
                return stint
        return None

    def _bad_starts(self) -> Iterator[str]:
        """Each stint begins to read where the last commit before it left off.

        Or where its member itself had come to: aiokafka may still hand out what it has fetched.
        """
        for partition, stints in self.stints.items():
            for stint in stints:
                start = self._first_reads.get((partition, stint.member, stint.since))
                if start is None:
                    continue
                low, high = self._committed_range(partition, stint)
                if not low <= start <= high and start != self._read_before(partition, stint):
                    yield f"{stint} begins at {start}, and not between {low} and {high}"

    def _committed_range(self, partition: int, stint: Stint) -> tuple[int, int]:
        """The last commit that was answered, and one that may have taken place unseen."""
        commits = self.commits[partition]
        acked = [
            (each.acked_at, each.offset)
            for each in commits
            if each.acked_at is not None and each.acked_at <= stint.since
        ]
        low = max(acked)[1] if acked else 0
        unseen = [
            each.offset
            for each in commits
            if each.asked_at <= stint.since and (each.acked_at or FOREVER) > stint.since
        ]
        return low, max([low, *unseen])

    def _read_before(self, partition: int, stint: Stint) -> int | None:
        """Where a member had come to in a partition before a stint of it."""
        return max(
            (
                next_offset
                for each, (where, _, next_offset) in self._reads()
                if each.member == stint.member and where == partition and each.at < stint.since
            ),
            default=None,
        )

    def _find_first_reads(self) -> dict[tuple[int, str, float], int]:
        """By partition, member and begin of a stint."""
        starts: dict[tuple[int, str], list[float]] = defaultdict(list)
        for partition, stints in self.stints.items():
            for stint in stints:
                starts[partition, stint.member].append(stint.since)
        found: dict[tuple[int, str, float], int] = {}
        for each, (partition, first, _) in self._reads():
            begins = starts[partition, each.member]
            index = bisect_right(begins, each.at) - 1
            if index < 0:
                self._complain(each, f"reads {partition}, which it never had")
            else:
                found.setdefault((partition, each.member, begins[index]), first)
        return found

    def _reads(self) -> Iterator[tuple[Told, tuple[int, int, int]]]:
        for each in self.told:
            if each.did == "read":
                for partition, first, next_offset in each.facts["ranges"]:
                    yield each, (partition, first, next_offset)

    def _unread(self, produced: Mapping[int, int]) -> Iterator[str]:
        read: dict[int, set[int]] = defaultdict(set)
        for _, (partition, first, next_offset) in self._reads():
            read[partition].update(range(first, next_offset))
        for partition, count in produced.items():
            missing = set(range(count)) - read[partition]
            if missing:
                yield f"partition {partition} of {count}: nobody read {sorted(missing)[:5]}"
            if max(read[partition], default=-1) >= count:
                yield f"partition {partition} of {count}: read up to {max(read[partition])}"
