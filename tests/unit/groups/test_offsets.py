"""Committed offsets: who may commit, what is told, when they go."""

from __future__ import annotations

import pytest

from ottla.base.effects import ProducerIdentity
from ottla.base.errors import ErrorCode
from ottla.base.limits import OFFSETS_COMMITTED_BYTES_MAX, OFFSETS_EXPIRED_PER_TURN_MAX
from ottla.groups.group import Committer
from ottla.groups.offset_commits import OffsetToCommit
from ottla.groups.offsets import Place
from ottla.wire.payloads.coordinator import GROUP_RECORDS, encode_key, encode_value, value_version
from ottla.wire.payloads.offset_commits import (
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitValue,
)
from tests.support.group_bench import DAY_MS, START_MS, GroupBench, Logged, reads

E = ErrorCode
MINUTE_MS = 60_000
P1, P2 = ProducerIdentity(7, 0), ProducerIdentity(8, 3)


# -- who may commit --------------------------------------------------------------------------------


def test_whoever_is_no_member_may_commit_where_there_is_no_group() -> None:
    bench = GroupBench()
    assert bench.commit(5, metadata="why") is E.NONE
    found = bench.fetch(("t", 0)).topics[0].partitions[0]
    assert (found.committed_offset, found.committed_leader_epoch, found.metadata) == (5, 3, "why")


def test_offsets_are_written_in_the_version_that_every_broker_reads() -> None:
    bench = GroupBench()
    bench.commit(5)
    (logged,) = bench.log
    assert logged.value is not None
    assert value_version(logged.value) == 3
    assert GROUP_RECORDS.decode_value(1, logged.value) == OffsetCommitValue(
        offset=5, leader_epoch=3, metadata="", commit_timestamp=START_MS
    )


def test_whoever_is_no_member_may_commit_for_an_empty_group_alone() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    assert bench.commit(5) is E.UNKNOWN_MEMBER_ID
    bench.leave(member)
    assert bench.commit(5) is E.NONE


@pytest.mark.parametrize(
    ("version", "error"), [(8, E.ILLEGAL_GENERATION), (9, E.GROUP_ID_NOT_FOUND)]
)
def test_member_of_an_unknown_group_is_refused(version: int, error: ErrorCode) -> None:
    assert GroupBench().commit(5, "who", 1, version=version) is error


def test_members_commit_in_their_generation() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    assert bench.commit(5, member, 1) is E.NONE
    assert bench.commit(6, member, 0) is E.ILLEGAL_GENERATION
    assert bench.commit(6, member, 2) is E.ILLEGAL_GENERATION
    assert bench.commit(6, "who", 1) is E.UNKNOWN_MEMBER_ID
    assert bench.offset() == 5


def test_members_commit_what_they_have_read_before_they_join_again() -> None:
    bench = GroupBench()
    leader, follower = bench.stable(2)
    bench.join(leader)
    assert bench.commit(5, follower, 1) is E.NONE


def test_commit_between_join_and_sync_has_to_wait() -> None:
    bench = GroupBench()
    leader, follower = bench.stable(2)
    bench.join(leader)
    bench.join(follower)
    assert bench.commit(5, follower, 2) is E.REBALANCE_IN_PROGRESS
    assert bench.commit(5, follower, 1) is E.ILLEGAL_GENERATION


def test_commit_shows_that_a_member_lives() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    for number in range(5):
        bench.advance(9000)
        assert bench.commit(number, member, 1) is E.NONE


def test_long_metadata_is_refused_at_its_partition() -> None:
    bench = GroupBench()
    assert bench.commit(5, metadata="x" * 20) is E.NONE
    assert bench.commit(6, metadata="x" * 21) is E.OFFSET_METADATA_TOO_LARGE
    assert bench.offset() == 5


# -- what is told ----------------------------------------------------------------------------------


def test_nothing_is_known_of_an_unknown_group() -> None:
    bench = GroupBench()
    assert bench.offset() == -1
    assert bench.fetch().topics == []
    assert bench.fetch(("t", 0)).error_code == E.NONE


def test_all_offsets_are_told_where_no_topic_is_named() -> None:
    bench = GroupBench()
    for topic, partition in [("t", 0), ("t", 1), ("u", 0)]:
        bench.commit(partition + 1, topic=topic, partition=partition)
    told = {
        (topic.name, each.partition_index): each.committed_offset
        for topic in bench.fetch().topics
        for each in topic.partitions
    }
    assert told == {("t", 0): 1, ("t", 1): 2, ("u", 0): 1}


def test_a_group_that_nobody_knows_has_no_offsets_whoever_asks() -> None:
    found = GroupBench().fetch(("t", 0), member_id="m", member_epoch=1)
    assert found.error_code == E.NONE
    assert found.topics[0].partitions[0].committed_offset == -1


# -- transactions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_committed", [True, False])
def test_offset_of_a_transaction_counts_when_it_commits(is_committed: bool) -> None:
    bench = GroupBench()
    bench.commit(5)
    assert bench.commit(9, producer=P1) is E.NONE
    assert bench.log[-1].producer == P1
    assert bench.offset() == 5
    assert bench.offset(stable=True) is E.UNSTABLE_OFFSET_COMMIT
    assert bench.offset(partition=1, stable=True) == -1
    bench.end_transaction(P1, is_committed=is_committed)
    assert bench.offset(stable=True) == (9 if is_committed else 5)


def test_first_offset_of_a_partition_is_unstable_too() -> None:
    bench = GroupBench()
    bench.commit(9, producer=P1)
    (topic,) = bench.fetch(require_stable=True).topics
    assert topic.partitions[0].error_code == E.UNSTABLE_OFFSET_COMMIT
    assert bench.fetch().topics == []
    bench.end_transaction(P1, is_committed=False)
    assert not bench.shard.offsets


def test_of_two_transactions_and_a_commit_the_last_written_counts() -> None:
    bench = GroupBench()
    bench.commit(1, producer=P1)
    bench.commit(2, producer=P2)
    bench.end_transaction(P2, is_committed=True)
    bench.end_transaction(P1, is_committed=True)
    assert bench.offset() == 2
    bench.commit(3, producer=P1)
    bench.commit(4)
    bench.end_transaction(P1, is_committed=True)
    assert bench.offset() == 4


def test_open_transactions_are_known_after_a_restart() -> None:
    bench = GroupBench()
    bench.commit(9, producer=P1)
    bench.reload()
    assert bench.offset(stable=True) is E.UNSTABLE_OFFSET_COMMIT
    bench.end_transaction(P1, is_committed=True)
    bench.reload()
    assert bench.offset(stable=True) == 9


def test_transaction_is_checked_against_the_group_only_where_it_names_a_member() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    assert bench.commit(1, producer=P1) is E.NONE
    assert bench.commit(1, member, 1, producer=P1) is E.NONE
    assert bench.commit(1, member, 0, producer=P1) is E.ILLEGAL_GENERATION
    assert bench.commit(1, "who", 1, producer=P1) is E.UNKNOWN_MEMBER_ID
    assert bench.commit(1, "who", 1, group="h", producer=P1) is E.ILLEGAL_GENERATION


# -- deleting --------------------------------------------------------------------------------------


def test_offset_that_no_member_reads_can_be_deleted() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    bench.commit(1, member, 1)
    bench.commit(1, member, 1, topic="old")
    assert bench.delete_offset("t") == (E.NONE, E.GROUP_SUBSCRIBED_TO_TOPIC)
    assert bench.delete_offset("old") == (E.NONE, E.NONE)
    assert (bench.offset("t"), bench.offset("old")) == (1, -1)
    bench.leave(member)
    assert bench.delete_offset("t") == (E.NONE, E.NONE)
    assert bench.offset("t") == -1


def test_offsets_of_members_that_do_not_say_what_they_read_cannot_be_deleted() -> None:
    bench = GroupBench()
    bench.stable(1, protocol_type="connect", protocols=[("default", b"")])
    assert bench.delete_offset()[0] is E.NON_EMPTY_GROUP


def test_subscription_that_cannot_be_read_may_be_to_any_topic() -> None:
    bench = GroupBench()
    bench.stable(1, protocols=[("range", b"\x00")])
    assert bench.delete_offset() == (E.NONE, E.GROUP_SUBSCRIBED_TO_TOPIC)


def test_offset_of_an_unknown_group_cannot_be_deleted() -> None:
    assert GroupBench().delete_offset()[0] is E.GROUP_ID_NOT_FOUND


def test_group_is_deleted_with_its_offsets() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    bench.commit(1, member, 1)
    assert bench.delete_group() is E.NON_EMPTY_GROUP
    bench.leave(member)
    bench.commit(2, producer=P1)
    assert bench.delete_group() is E.NONE
    bench.end_transaction(P1, is_committed=True)
    assert (bench.offset(), bench.describe().group_state) == (-1, "Dead")
    assert bench.delete_group() is E.GROUP_ID_NOT_FOUND
    bench.reload()
    assert not bench.shard.groups
    assert not bench.shard.offsets


def test_deleted_topic_takes_all_offsets_with_it() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    bench.commit(1, member, 1)
    bench.commit(1, member, 1, topic="u")
    bench.commit(1, group="h")
    bench.commit(1, group="h", topic="v", producer=P1)
    bench.run(lambda shard, ticket, now: shard.topics_deleted(frozenset({"t", "v"}), ticket, now))
    bench.end_transaction(P1, is_committed=True)
    assert [bench.offset("t"), bench.offset("u"), bench.offset("t", group="h")] == [-1, 1, -1]
    assert set(bench.shard.offsets) == {"g"}


def test_offsets_of_a_deleted_topic_go_some_a_turn_and_those_of_a_new_one_of_its_name_stay() -> (
    None
):
    bench = GroupBench()
    for partition in range(2 * OFFSETS_EXPIRED_PER_TURN_MAX + 1):
        bench.commit(1, partition=partition)
    bench.commit(1, topic="u")
    written = len(bench.log)
    bench.run(lambda shard, ticket, now: shard.topics_deleted(frozenset({"t"}), ticket, now))
    assert len(bench.log) - written == OFFSETS_EXPIRED_PER_TURN_MAX
    bench.commit(5, partition=0)
    bench.advance(0)
    assert len(bench.log) - written == 2 * OFFSETS_EXPIRED_PER_TURN_MAX + 1
    assert bench.shard.next_deadline_ms > bench.now.monotonic_ms
    assert set(bench.shard.offsets.of("g").places()) == {Place("u", 0), Place("t", 0)}
    assert (bench.offset(), bench.offset("u")) == (5, 1)


@pytest.mark.parametrize(
    ("parts", "error"), [(1, E.INVALID_COMMIT_OFFSET_SIZE), (2, E.NONE)], ids=["all", "half"]
)
def test_a_commit_whose_records_would_repeat_a_long_name_too_often_is_refused(
    parts: int, error: E
) -> None:
    bench = GroupBench()
    name = "g" * 30_000
    count = (OFFSETS_COMMITTED_BYTES_MAX // len(name) + 1) // parts
    offsets = [OffsetToCommit("t", partition, 1, -1, None) for partition in range(count)]
    bench.run(lambda shard, ticket, now: shard.commit(name, Committer(), offsets, ticket, now))
    assert {each.error_code for each in offsets} == {error}
    assert len(bench.log) == (0 if error else count)


# -- age (KIP-211) ---------------------------------------------------------------------------------


def test_offsets_of_a_simple_group_go_one_by_one() -> None:
    bench = GroupBench()
    bench.commit(1)
    bench.advance(DAY_MS)
    bench.commit(1, partition=1)
    bench.advance(6 * DAY_MS + 10 * MINUTE_MS)
    assert (bench.offset(), bench.offset(partition=1)) == (-1, 1)
    bench.advance(DAY_MS)
    assert not bench.shard.offsets


def test_a_group_that_has_no_offsets_stays_until_somebody_looks_for_old_ones() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    bench.leave(member)
    bench.reload()
    bench.advance(10 * MINUTE_MS - 1)
    assert bench.describe().group_state == "Empty"
    bench.advance(1)
    assert bench.describe().group_state == "Dead"


def test_offsets_of_an_empty_group_go_a_retention_after_its_last_member_left() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1, session_ms=1_800_000)
    bench.commit(1, member, 1)
    for _ in range(2 * 24 * 8):
        bench.advance(30 * MINUTE_MS - 1)
        bench.heartbeat(member, 1)
    bench.leave(member)
    bench.advance(7 * DAY_MS - 10 * MINUTE_MS)
    assert bench.offset() == 1
    bench.advance(20 * MINUTE_MS)
    assert bench.offset() == -1
    assert bench.describe().group_state == "Dead"
    bench.reload()
    assert not bench.shard.groups


def test_stable_group_keeps_old_offsets_of_what_it_reads_and_no_others() -> None:
    bench = GroupBench(session_timeout_ms_max=20 * DAY_MS)
    (member,) = bench.stable(1, session_ms=20 * DAY_MS)
    bench.commit(1, member, 1, topic="t")
    bench.commit(1, member, 1, topic="old")
    bench.advance(8 * DAY_MS)
    assert (bench.offset("t"), bench.offset("old")) == (1, -1)


def test_group_whose_members_do_not_say_what_they_read_keeps_all() -> None:
    bench = GroupBench(session_timeout_ms_max=20 * DAY_MS)
    other = {"protocol_type": "connect", "protocols": [("default", b"")]}
    (member,) = bench.stable(1, session_ms=20 * DAY_MS, **other)
    bench.commit(1, member, 1)
    bench.advance(8 * DAY_MS)
    assert bench.offset() == 1


def test_retention_that_the_client_asked_for_counts() -> None:
    bench = GroupBench()
    bench.commit(1, version=4, retention_ms=DAY_MS)
    assert bench.log[-1].value is not None
    assert value_version(bench.log[-1].value) == 1
    bench.reload()
    bench.advance(DAY_MS - 20 * MINUTE_MS)
    assert bench.offset() == 1
    bench.advance(40 * MINUTE_MS)
    assert bench.offset() == -1


def test_offset_that_a_transaction_may_still_change_does_not_go() -> None:
    bench = GroupBench()
    bench.commit(1)
    bench.commit(2, producer=P1)
    bench.advance(8 * DAY_MS)
    assert bench.offset() == 1


def test_empty_group_without_offsets_goes_at_the_next_look() -> None:
    bench = GroupBench()
    bench.leave(*bench.stable(1))
    bench.advance(10 * MINUTE_MS)
    assert not bench.shard.groups
    assert bench.log[-1].value is None


def test_one_look_takes_back_no_more_than_others_can_wait_for() -> None:
    bench = GroupBench()
    for number in range(OFFSETS_EXPIRED_PER_TURN_MAX + 1):
        bench.commit(1, group=f"g{number % 3}", partition=number)
    bench.elapsed_ms += 8 * DAY_MS
    effects = bench.shard.expire(bench.now)
    assert len(effects.records) == OFFSETS_EXPIRED_PER_TURN_MAX
    bench.take(effects)
    bench.advance(0)
    assert not bench.shard.offsets
    assert bench.shard.next_deadline_ms > bench.elapsed_ms


# -- old logs --------------------------------------------------------------------------------------


def test_offsets_of_before_kafka_0_9_are_read() -> None:
    key = LegacyOffsetCommitKey(group="g", topic="t", partition=0)
    value = LegacyOffsetCommitValue(offset=4, metadata="m", commit_timestamp=START_MS)
    bench = GroupBench([Logged(encode_key(key), encode_value(value), None)])
    assert bench.offset() == 4


def test_groups_are_listed_with_those_that_only_keep_offsets() -> None:
    bench = GroupBench()
    bench.stable(1, protocols=[("range", reads("t"))])
    bench.commit(1, group="simple")

    ticket = bench.run(lambda shard, ticket, now: shard.listed(lambda _: True, ticket, now))
    listed = [
        (each.group_id, each.protocol_type, each.group_state, each.group_type)
        for each in bench.answers[ticket]
    ]
    assert listed == [("g", "consumer", "Stable", "classic"), ("simple", "", "Empty", "classic")]


def test_an_endless_retention_does_not_overflow() -> None:
    bench = GroupBench()
    assert bench.commit(1, retention_ms=2**63 - 1, version=4) is E.NONE
    bench.advance(30 * DAY_MS)
    assert bench.offset() == 1


def test_groups_beyond_one_look_are_looked_at_in_the_next() -> None:
    bench = GroupBench()
    bench.commit(1, group="old")
    bench.elapsed_ms += 8 * DAY_MS
    for number in range(3):
        bench.commit(1, group=f"g{number}")
    limit = "ottla.groups.offset_sweep.OFFSETS_LOOKED_AT_PER_TURN_MAX"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limit, 1)
        bench.take(bench.shard.expire(bench.now))
        assert bench.shard.next_deadline_ms == bench.elapsed_ms
        bench.advance(0)
    assert set(bench.shard.offsets) == {"g0", "g1", "g2"}
    assert bench.shard.next_deadline_ms > bench.elapsed_ms
