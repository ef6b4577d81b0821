"""What a reader has to do about partitions, in which order."""

from __future__ import annotations

from ottla.base.ids import TopicPartition
from ottla.client.consumer.group.ownership import Ownership, Step, StepKind

A, B, C = (TopicPartition("t", index) for index in range(3))


def steps(ownership: Ownership) -> list[tuple[str, list[TopicPartition]]]:
    """Do all there is to do."""
    done: list[tuple[str, list[TopicPartition]]] = []
    while (step := ownership.step()) is not None:
        done.append((step.kind.name, list(step.partitions)))
        ownership.done(step)
    return done


def owning(*partitions: TopicPartition) -> Ownership:
    made = Ownership(tells_always=True)
    made.assign(partitions)
    steps(made)
    return made


def test_what_goes_is_given_back_before_what_comes_is_taken_and_told() -> None:
    ownership = owning(A, B)
    ownership.assign([B, C])
    assert steps(ownership) == [("REVOKE", [A]), ("TAKE", [C]), ("TELL", [C])]
    assert ownership.owned == {B, C}
    assert ownership.take_revoked()
    assert not ownership.take_revoked()


def test_an_assignment_that_changes_nothing_is_told_to_classic_members_only() -> None:
    ownership = owning(A)
    ownership.assign([A])
    assert steps(ownership) == [("TAKE", []), ("TELL", [])]
    quiet = Ownership(tells_always=False)
    quiet.assign([])
    assert steps(quiet) == [("TAKE", [])]


def test_a_step_is_told_again_until_it_is_done() -> None:
    ownership = owning(A)
    ownership.give_back([A, B])
    assert ownership.step() == Step(StepKind.REVOKE, (A,))
    assert ownership.step() == Step(StepKind.REVOKE, (A,))
    assert steps(ownership) == [("REVOKE", [A])]
    assert ownership.step() is None


def test_what_was_lost_is_lost_at_once_and_nothing_is_revoked_any_more() -> None:
    ownership = owning(A, B)
    ownership.assign([B, C])
    ownership.lose()
    assert steps(ownership) == [("LOSE", [A, B])]
    assert not ownership.owned


def test_losing_nothing_is_no_step() -> None:
    ownership = Ownership(tells_always=True)
    ownership.assign([A])
    ownership.lose()
    assert ownership.step() is None


def test_what_the_program_was_not_told_of_yet_is_told_before_it_goes() -> None:
    ownership = Ownership(tells_always=True)
    ownership.assign([A])
    taken = ownership.step()
    assert taken is not None
    ownership.done(taken)
    ownership.assign([])
    assert steps(ownership)[:2] == [("TELL", [A]), ("REVOKE", [A])]
