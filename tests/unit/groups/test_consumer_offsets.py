"""Who may commit and fetch offsets of a consumer group, and what becomes of them."""

from __future__ import annotations

from ottla.base.effects import ProducerIdentity
from ottla.base.errors import ErrorCode
from tests.support.consumer_bench import Client, ConsumerBench, settle
from tests.support.group_bench import DAY_MS


def sharing() -> tuple[ConsumerBench, Client, Client]:
    """Two members, the first of which held all until the epoch before."""
    bench = ConsumerBench()
    first, second = Client(bench, "a", "t"), Client(bench, "b", "t")
    first.beat()
    settle(first, second)
    return bench, first, second


def test_a_member_commits_and_fetches_in_its_epoch() -> None:
    bench, first, _ = sharing()
    assert bench.commit(5, "a", first.epoch) is ErrorCode.NONE
    found = bench.fetch(("t", 0), member_id="a", member_epoch=first.epoch)
    assert found.topics[0].partitions[0].committed_offset == 5


def test_an_administrator_fetches_at_any_time_and_commits_where_nobody_is() -> None:
    bench, first, second = sharing()
    assert bench.fetch(("t", 0)).error_code == ErrorCode.NONE
    assert bench.commit(5) is ErrorCode.UNKNOWN_MEMBER_ID
    first.leave()
    second.leave()
    assert bench.commit(5) is ErrorCode.NONE


def test_strangers_and_other_epochs_are_refused() -> None:
    bench, first, _ = sharing()
    assert bench.commit(5, "x", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert bench.commit(5, "a", first.epoch + 1) is ErrorCode.STALE_MEMBER_EPOCH
    assert bench.commit(5, "a", first.epoch, version=8) is ErrorCode.UNSUPPORTED_VERSION
    stranger = bench.fetch(("t", 0), member_id="x", member_epoch=1)
    assert stranger.error_code == ErrorCode.UNKNOWN_MEMBER_ID
    stale = bench.fetch(("t", 0), member_id="a", member_epoch=first.epoch - 1)
    assert stale.error_code == ErrorCode.STALE_MEMBER_EPOCH


def test_an_older_epoch_commits_what_the_member_has_held_since_then() -> None:
    bench, first, second = sharing()
    kept, given = first.numbers[0], second.numbers[0]
    assert first.epoch == 2
    assert bench.commit(5, "a", 1, partition=kept) is ErrorCode.NONE
    assert bench.commit(5, "a", 1, partition=given) is ErrorCode.STALE_MEMBER_EPOCH
    new = second.numbers[0]
    assert bench.commit(5, "b", 1, partition=new) is ErrorCode.STALE_MEMBER_EPOCH


def test_a_transaction_of_a_producer_that_names_no_member_is_taken() -> None:
    bench, first, _ = sharing()
    producer = ProducerIdentity(7, 0)
    assert bench.commit(5, producer=producer) is ErrorCode.NONE
    assert bench.commit(5, "a", first.epoch, producer=producer) is ErrorCode.NONE
    stale = bench.commit(5, "a", first.epoch + 1, producer=producer)
    assert stale is ErrorCode.ILLEGAL_GENERATION


def test_offsets_of_topics_that_are_read_are_neither_deleted_nor_do_they_expire() -> None:
    bench, first, second = sharing()
    bench.commit(5, "a", first.epoch)
    bench.commit(6, "a", first.epoch, topic="u")
    _, error = bench.delete_offset()
    assert error is ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    bench.elapsed_ms += 8 * DAY_MS
    first.beat()
    second.beat()
    bench.advance(0)
    assert bench.offset() == 5
    assert bench.offset("u") == -1


def test_a_group_with_members_is_not_deleted_and_one_without_goes_with_its_offsets() -> None:
    bench, first, second = sharing()
    bench.commit(5, "a", first.epoch)
    assert bench.delete_group() is ErrorCode.NON_EMPTY_GROUP
    first.leave()
    second.leave()
    assert bench.delete_group() is ErrorCode.NONE
    assert "g" not in bench.shard.groups
    assert bench.offset() == -1
    bench.reload()
    assert "g" not in bench.shard.groups


def test_an_empty_group_expires_with_its_last_offset() -> None:
    bench, first, second = sharing()
    bench.commit(5, "a", first.epoch)
    first.leave()
    second.leave()
    bench.advance(7 * DAY_MS + 600_000)
    assert "g" not in bench.shard.groups


def test_it_is_listed_as_a_consumer_group_and_is_no_classic_one() -> None:
    bench, _, _ = sharing()
    ticket = bench.run(lambda shard, ticket, now: shard.listed(lambda _: True, ticket, now))
    (listed,) = bench.answers[ticket]
    assert (listed.group_id, listed.group_type, listed.protocol_type, listed.group_state) == (
        "g", "consumer", "consumer", "Stable",
    )  # fmt: skip
    assert bench.describe().error_code == ErrorCode.GROUP_ID_NOT_FOUND
