"""What requests of one fetch session say (KIP-227)."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.consumer.fetch_session import EPOCH_MAX, FIRST_EPOCH, FetchSession, Target

A, B = TopicPartition("a", 0), TopicPartition("b", 0)


def target(offset: int, *, topic_id: int = 1, epoch: int = 0) -> Target:
    return Target(bytes([topic_id]) * 16, epoch, offset, 1000)


def begun(wanted: dict[TopicPartition, Target], session_id: int = 7) -> FetchSession:
    session = FetchSession()
    session.plan(wanted, by_id=True)
    session.answered(session_id)
    return session


def test_the_first_request_names_all_and_asks_for_a_session() -> None:
    asked = FetchSession().plan({A: target(1), B: target(2)}, by_id=True)
    assert (asked.session_id, asked.epoch) == (0, FIRST_EPOCH)
    assert (asked.changed, asked.forgotten) == ({A: target(1), B: target(2)}, {})


def test_later_ones_name_what_changed_and_what_is_not_wanted_any_more() -> None:
    session = begun({A: target(1), B: target(2)})
    asked = session.plan({A: target(5)}, by_id=True)
    assert (asked.session_id, asked.epoch) == (7, 1)
    assert (asked.changed, asked.forgotten) == ({A: target(5)}, {B: target(2)})
    session.answered(7)
    asked = session.plan({A: target(5), B: target(2)}, by_id=True)
    assert (asked.epoch, asked.changed, asked.forgotten) == (2, {B: target(2)}, {})


def test_a_topic_made_again_is_forgotten_by_its_old_id_and_named_by_the_new_one() -> None:
    session = begun({A: target(1)})
    asked = session.plan({A: target(0, topic_id=2)}, by_id=True)
    assert (asked.changed, asked.forgotten) == ({A: target(0, topic_id=2)}, {A: target(1)})
    assert session.topics == {bytes([2]) * 16: "a"}


def test_by_name_a_topic_made_again_is_not_forgotten_with_the_same_breath() -> None:
    session = FetchSession()
    session.plan({A: target(1)}, by_id=False)
    session.answered(7)
    asked = session.plan({A: target(0, topic_id=2)}, by_id=False)
    assert (asked.changed, asked.forgotten) == ({A: target(0, topic_id=2)}, {})


def test_a_new_leader_epoch_is_told() -> None:
    session = begun({A: target(1)})
    assert session.plan({A: target(1, epoch=3)}, by_id=True).changed == {A: target(1, epoch=3)}


def test_whatever_was_lost_everything_is_named_anew_and_the_old_session_closed() -> None:
    session = begun({A: target(1), B: target(2)})
    session.plan({A: target(1)}, by_id=True)
    session.lost()
    asked = session.plan({A: target(1)}, by_id=True)
    assert (asked.session_id, asked.epoch) == (7, FIRST_EPOCH)
    assert (asked.changed, asked.forgotten) == ({A: target(1)}, {})


def test_a_session_that_the_node_does_not_know_is_not_named_again() -> None:
    session = begun({A: target(1)})
    session.refused(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    assert session.plan({A: target(1)}, by_id=True)[:2] == (0, FIRST_EPOCH)
    session.answered(8)
    session.refused(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
    assert session.plan({A: target(1)}, by_id=True)[:2] == (8, FIRST_EPOCH)


def test_a_node_that_keeps_no_session_is_told_everything_each_time() -> None:
    session = begun({A: target(1)}, session_id=0)
    asked = session.plan({A: target(1)}, by_id=True)
    assert (asked.session_id, asked.epoch, asked.changed) == (0, FIRST_EPOCH, {A: target(1)})


def test_names_and_ids_do_not_share_a_session() -> None:
    session = begun({A: target(1)})
    assert session.plan({A: target(1)}, by_id=False).epoch == FIRST_EPOCH


def test_epochs_begin_again_behind_the_last_number_and_pass_over_that_of_new_sessions() -> None:
    session = begun({A: target(1)})
    session._epoch = EPOCH_MAX
    assert session.plan({A: target(1)}, by_id=True).epoch == EPOCH_MAX
    session.answered(7)
    assert session.plan({A: target(1)}, by_id=True).epoch == 1
