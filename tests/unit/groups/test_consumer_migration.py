"""Groups change their protocol under their members, and classic members live in consumer groups."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.consumer_config import ConsumerConfig, MigrationPolicy
from ottla.wire.payloads.consumer_protocol import (
    AssignedPartitions,
    ConsumerProtocolAssignment,
    encode_consumer_protocol,
)
from tests.support.consumer_bench import (
    HEARTBEAT_MS,
    REVOKE_MS,
    SESSION_MS,
    ClassicClient,
    Client,
    ConsumerBench,
)
from tests.support.group_bench import reads
from tests.support.group_invariants import check_shard


def classic_group(*names: str, bench: ConsumerBench | None = None) -> list[ClassicClient]:
    """Classic members that share the topic among them."""
    bench = bench or ConsumerBench()
    clients = [ClassicClient(bench, name, "t") for name in names]
    go_on(bench, *clients)
    assert isinstance(bench.shard.groups["g"], ClassicGroup)
    return clients


def go_on(bench: ConsumerBench, *clients: Client | ClassicClient, rounds: int = 12) -> None:
    """Let everybody speak, and time pass, until all have what they shall have."""
    for _ in range(rounds):
        for client in clients:
            client.beat()
        bench.advance(100)


def with_policy(policy: MigrationPolicy) -> ConsumerBench:
    return ConsumerBench(consumer=ConsumerConfig(migration=policy))


def shared(*clients: Client | ClassicClient) -> list[int]:
    """All numbers that anybody holds, and how many each."""
    assert len({partition for client in clients for partition in client.holds}) == 6
    return [len(client.holds) for client in clients]


# -- up --------------------------------------------------------------------------------------------


def test_a_classic_group_is_converted_when_a_member_of_the_consumer_protocol_joins() -> None:
    one, two = classic_group("a", "b")
    bench, had = one.bench, one.holds
    generation = one.generation
    new = Client(bench, "m", "t")
    assert not new.beat().error_code
    group = bench.consumers()
    assert group.epoch == generation + 1
    assert group.members[one.member_id].assigned.keys() == had
    assert new.holds == frozenset(), "the others hold all until they have joined again"
    go_on(bench, one, two, new)
    assert shared(one, two, new) == [2, 2, 2]
    assert one.generation == generation + 1


def test_classic_members_without_a_rebalance_are_not_disturbed_by_the_conversion() -> None:
    (one,) = classic_group("a")
    Client(one.bench, "m", "other").beat()
    assert len(one.holds) == 6
    assert one.beat() is ErrorCode.REBALANCE_IN_PROGRESS, "they only have to follow the epoch"
    go_on(one.bench, one)
    assert len(one.holds) == 6


def test_members_that_wait_in_a_classic_rebalance_are_told_to_join_again() -> None:
    one, two = classic_group("a", "b")
    bench = one.bench
    waits = bench.join(one.member_id, protocols=[("range", reads("t", "u"))])
    assert waits in bench.waiting
    Client(bench, "m", "t").beat()
    assert bench.answers[waits].error_code == ErrorCode.REBALANCE_IN_PROGRESS
    assert two.member_id in bench.consumers().members


@pytest.mark.parametrize("policy", [MigrationPolicy.DISABLED, MigrationPolicy.DOWNGRADE])
def test_a_policy_may_forbid_it(policy: MigrationPolicy) -> None:
    (one,) = classic_group("a", bench=with_policy(policy))
    assert Client(one.bench, "m", "t").beat().error_code == ErrorCode.GROUP_ID_NOT_FOUND
    assert one.beat() is ErrorCode.NONE


def test_groups_of_other_protocols_or_with_assignors_of_their_own_stay_classic() -> None:
    bench = ConsumerBench()
    bench.join(protocol_type="connect", protocols=[("default", b"")])
    bench.advance(0)
    assert Client(bench, "m", "t").beat().error_code == ErrorCode.GROUP_ID_NOT_FOUND
    bench = ConsumerBench()
    ticket = bench.join()
    bench.advance(0)
    told = bench.joined(ticket)
    own = ConsumerProtocolAssignment(
        assigned_partitions=[AssignedPartitions(topic="t", partitions=[0])], user_data=b"secret"
    )
    plan = {told.member_id: encode_consumer_protocol(own)}
    bench.sync(told.member_id, told.generation_id, plan)
    assert Client(bench, "m", "t").beat().error_code == ErrorCode.GROUP_ID_NOT_FOUND


def test_an_empty_classic_group_gives_its_name_away_and_keeps_its_offsets() -> None:
    (one,) = classic_group("a")
    bench = one.bench
    bench.commit(7, one.member_id, one.generation)
    one.leave()
    assert not Client(bench, "m", "t").beat().error_code
    assert bench.offset() == 7
    bench.reload()
    assert set(bench.consumers().members) == {"m"}


def test_an_empty_consumer_group_gives_its_name_away_too() -> None:
    bench = ConsumerBench()
    client = Client(bench, "m", "t")
    client.beat()
    bench.commit(7, "m", client.epoch)
    client.leave()
    classic_group("a", bench=bench)
    assert bench.offset() == 7
    bench.reload()
    assert isinstance(bench.shard.groups["g"], ClassicGroup)


# -- classic members in a consumer group -----------------------------------------------------------


def mixed() -> tuple[ConsumerBench, Client, ClassicClient]:
    bench = ConsumerBench()
    client, classic = Client(bench, "m", "t"), ClassicClient(bench, "c", "t")
    client.beat()
    go_on(bench, client, classic)
    assert shared(client, classic) == [3, 3]
    return bench, client, classic


def test_a_classic_member_joins_a_consumer_group_and_shares() -> None:
    bench, _, classic = mixed()
    described = bench.describe_consumers()
    types = {member.member_id: member.member_type for member in described.members}
    assert types == {"m": 1, classic.member_id: 0}
    assert described.group_state == "Stable"


def test_a_classic_member_without_an_assignor_that_the_others_know_is_refused() -> None:
    bench, _, _ = mixed()
    for protocols, kind in (
        ([("other", reads("t"))], "consumer"),
        ([("range", reads("t"))], "connect"),
    ):
        ticket = bench.join("x", protocols=protocols, protocol_type=kind)
        assert bench.joined(ticket).error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL


def test_requests_of_strangers_and_of_old_generations_are_refused() -> None:
    bench, _, classic = mixed()
    assert bench.heartbeat("nobody", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert bench.heartbeat("m", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert bench.heartbeat(classic.member_id, 99) is ErrorCode.ILLEGAL_GENERATION
    ticket = bench.sync(classic.member_id, classic.generation, protocol="other")
    assert bench.answers[ticket].error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert bench.leave("nobody") == [ErrorCode.UNKNOWN_MEMBER_ID]
    assert bench.commit(1, classic.member_id, 99) is ErrorCode.ILLEGAL_GENERATION
    assert bench.commit(1, classic.member_id, classic.generation) is ErrorCode.NONE


def test_a_classic_member_hears_that_it_has_to_join_again_when_topics_grow() -> None:
    bench, client, classic = mixed()
    bench.set_topics({"t": 8})
    assert classic.beat() is ErrorCode.REBALANCE_IN_PROGRESS
    go_on(bench, client, classic)
    assert (len(client.holds), len(classic.holds)) == (4, 4)


def test_a_classic_member_that_does_not_join_again_in_time_is_removed() -> None:
    bench, client, classic = mixed()
    bench.set_topics({"t": 8})
    client.beat()
    for _ in range(REVOKE_MS // HEARTBEAT_MS + 1):
        bench.heartbeat(classic.member_id, classic.generation)
        client.beat()
        bench.advance(HEARTBEAT_MS)
    assert set(bench.consumers().members) == {"m"}


def test_a_classic_member_has_the_session_that_it_asked_for() -> None:
    bench, client, classic = mixed()
    classic.beat()
    for _ in range(9):
        bench.advance(SESSION_MS // 10)
        client.beat()
    assert classic.member_id in bench.consumers().members
    bench.advance(SESSION_MS // 10)
    assert classic.member_id not in bench.consumers().members


def test_a_static_classic_member_takes_its_place_over_again() -> None:
    bench = ConsumerBench()
    client = Client(bench, "m", "t")
    client.beat()
    first = bench.joined(bench.join(instance="i"))
    again = bench.joined(bench.join(instance="i"))
    assert again.member_id != first.member_id
    assert bench.consumers().instances == {"i": again.member_id}
    fenced = bench.heartbeat(first.member_id, first.generation_id, "i")
    assert fenced is ErrorCode.FENCED_INSTANCE_ID
    assert bench.leave(("", "i")) == [ErrorCode.NONE]


# -- down ------------------------------------------------------------------------------------------


def test_the_group_is_classic_again_when_the_last_one_of_the_consumer_protocol_leaves() -> None:
    bench, client, classic = mixed()
    generation = classic.generation
    client.leave()
    bench.advance(0)
    group = bench.shard.groups["g"]
    assert isinstance(group, ClassicGroup)
    assert group.generation == generation
    assert classic.beat() is ErrorCode.REBALANCE_IN_PROGRESS
    go_on(bench, classic)
    assert shared(classic) == [6]
    assert classic.generation == generation + 1
    bench.reload()
    assert isinstance(bench.shard.groups["g"], ClassicGroup)


def test_or_when_its_session_ends() -> None:
    bench, client, classic = mixed()
    for _ in range(SESSION_MS // HEARTBEAT_MS):
        classic.beat()
        bench.advance(HEARTBEAT_MS)
    go_on(bench, classic)
    assert isinstance(bench.shard.groups["g"], ClassicGroup)
    assert shared(classic) == [6]
    assert client.holds


def test_a_group_that_was_read_before_it_could_go_back_does_so_then() -> None:
    bench, client, _ = mixed()
    client.leave()
    bench.reload()
    bench.advance(0)
    assert isinstance(bench.shard.groups["g"], ClassicGroup)


def test_where_the_policy_forbids_it_the_group_stays_and_its_classic_members_share() -> None:
    bench = with_policy(MigrationPolicy.UPGRADE)
    client, classic = Client(bench, "m", "t"), ClassicClient(bench, "c", "t")
    client.beat()
    go_on(bench, client, classic)
    client.leave()
    go_on(bench, classic)
    assert set(bench.consumers().members) == {classic.member_id}
    assert shared(classic) == [6]


# -- protocols -------------------------------------------------------------------------------------

UNREADABLE_FIRST = [("own", b""), ("range", reads("t"))]


def test_a_classic_member_may_offer_first_what_nobody_else_can_read() -> None:
    bench = ConsumerBench()
    tickets = [bench.join(protocols=UNREADABLE_FIRST), bench.join(client="d")]
    bench.advance(0)
    first, second = [bench.joined(ticket).member_id for ticket in tickets]
    new = Client(bench, "m", "t")
    assert new.beat().error_code == ErrorCode.NONE
    told = bench.joined(bench.join(first, protocols=UNREADABLE_FIRST))
    assert (told.error_code, told.protocol_name) == (ErrorCode.NONE, "range")
    assert not bench.synced(bench.sync(first, told.generation_id)).error_code
    new.leave()
    bench.advance(0)
    assert bench.group.members[first].protocols == UNREADABLE_FIRST
    assert second in bench.group.members
    check_shard(bench.shard, bench.waiting)


def test_classic_members_that_line_their_assignors_up_differently_all_sync() -> None:
    bench = ConsumerBench()
    Client(bench, "m", "t").beat()
    for names in (["range", "sticky"], ["sticky", "range"]):
        told = bench.joined(bench.join(protocols=[(name, reads("t")) for name in names]))
        ticket = bench.sync(
            told.member_id,
            told.generation_id,
            protocol_type="consumer",
            protocol=told.protocol_name,
        )
        synced = bench.synced(ticket)
        assert (synced.error_code, synced.protocol_name) == (ErrorCode.NONE, told.protocol_name)


def test_a_group_in_its_first_rebalance_is_converted() -> None:
    bench = ConsumerBench(initial_rebalance_delay_ms=3000)
    waits = bench.join()
    assert Client(bench, "m", "t").beat().error_code == ErrorCode.NONE
    assert bench.join_error(waits) is ErrorCode.REBALANCE_IN_PROGRESS


def test_a_group_whose_first_members_are_gone_again_is_converted() -> None:
    bench = ConsumerBench(initial_rebalance_delay_ms=3000)
    bench.join()
    bench.leave("c-1")
    assert Client(bench, "m", "t").beat().error_code == ErrorCode.NONE
    check_shard(bench.shard, bench.waiting)


def test_of_protocols_that_have_changed_since_the_last_generation_the_common_one_is_read() -> None:
    bench = ConsumerBench()
    ticket = bench.join(protocols=[("range", reads("t")), ("sticky", reads("t"))])
    bench.advance(0)
    bench.sync(bench.joined(ticket).member_id, 1, {})
    bench.join(client="d", protocols=[("sticky", reads("t"))])
    assert Client(bench, "m", "t").beat().error_code == ErrorCode.NONE


def test_a_classic_member_in_a_consumer_group_is_known_by_its_own_instance_id_alone() -> None:
    bench = ConsumerBench()
    Client(bench, "m", "t", instance="other").beat()
    told = bench.joined(bench.join(instance="one"))

    def sync_error(instance: str) -> ErrorCode:
        return bench.sync_error(bench.sync(told.member_id, told.generation_id, instance=instance))

    assert sync_error("nobody") is ErrorCode.UNKNOWN_MEMBER_ID
    assert sync_error("other") is ErrorCode.FENCED_INSTANCE_ID
    assert sync_error("one") is ErrorCode.NONE
