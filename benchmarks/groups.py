"""How fast do groups form, take offsets, and come back after a restart?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from benchmarks.load import load
from benchmarks.report import Bound, Figure
from benchmarks.requests import CLIENT_ID, ask, create_topic
from ottla.base.errors import ErrorCode
from ottla.client.address import Address
from ottla.client.connection import Connection, connect
from ottla.wire.frames import request_frame
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchResponse,
)
from ottla.wire.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from ottla.wire.payloads.consumer_protocol import (
    ConsumerProtocolSubscription,
    encode_consumer_protocol,
)
from tests.support.broker_process import BrokerProcess

GROUPS, MEMBERS_EACH = 100, 10
STABLE_SECONDS_MAX = 5.0
HEARTBEAT_SECONDS = 0.3
GIVE_UP_SECONDS = 60.0
COMMITS_PER_CORE_SECOND_MIN = 10_000
COMMIT_VERSION, FETCH_VERSION = 9, 9
"""The last that name topics rather than their ids."""
OFFSETS, OFFSETS_EACH_COMMIT = 100_000, 100
LOAD_SECONDS_MAX = 2.0
TOPIC = "work"


def run() -> Iterator[Figure]:
    """Members that all come at once, with the usual first wait and with none; then offsets."""
    yield from _form("3000", None, "with the usual wait for more, two times 3 s")
    yield from _form("0", STABLE_SECONDS_MAX, "without a wait")
    with BrokerProcess("--set", "group.initial.rebalance.delay.ms=0") as broker:
        create_topic(broker.host, broker.port, TOPIC, OFFSETS_EACH_COMMIT)
        asyncio.run(_make_coordinators(broker))
        yield from _reload(broker)
        yield from _commit(broker)


# -- members ---------------------------------------------------------------------------------------


class _Member:
    """A member as clients are: it joins again whenever it is told to."""

    def __init__(self, connection: Connection, group_id: str) -> None:
        self._connection = connection
        self.group_id = group_id
        self.member_id = ""
        self.generation = -1
        self.is_stable = False
        self.settled = asyncio.Event()

    async def live(self) -> None:
        """Be a member until cancelled."""
        while True:
            if not self.is_stable:
                await self._join()
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._heartbeat()

    async def _join(self) -> None:
        subscription = encode_consumer_protocol(ConsumerProtocolSubscription(topics=[TOPIC]))
        answer = await self._connection.call(
            JoinGroupRequest(
                group_id=self.group_id,
                session_timeout_ms=60_000,
                rebalance_timeout_ms=60_000,
                member_id=self.member_id,
                protocol_type="consumer",
                protocols=[JoinGroupRequestProtocol(name="range", metadata=subscription)],
            ),
            JoinGroupResponse,
            timeout_s=GIVE_UP_SECONDS,
        )
        self.member_id = answer.member_id
        if answer.error_code:
            assert answer.error_code == ErrorCode.MEMBER_ID_REQUIRED, ErrorCode(answer.error_code)
            await self._join()
            return
        self.generation = answer.generation_id
        everybody = [each.member_id for each in answer.members]
        await self._sync(everybody if answer.leader == self.member_id else [])

    async def _sync(self, everybody: list[str]) -> None:
        answer = await self._connection.call(
            SyncGroupRequest(
                group_id=self.group_id,
                generation_id=self.generation,
                member_id=self.member_id,
                protocol_type="consumer",
                protocol_name="range",
                assignments=[
                    SyncGroupRequestAssignment(
                        member_id=member_id, assignment=len(everybody).to_bytes(2, "big")
                    )
                    for member_id in everybody
                ],
            ),
            SyncGroupResponse,
            timeout_s=GIVE_UP_SECONDS,
        )
        self.is_stable = not answer.error_code
        if int.from_bytes(answer.assignment, "big") == MEMBERS_EACH:
            self.settled.set()

    async def _heartbeat(self) -> None:
        answer = await self._connection.call(
            HeartbeatRequest(
                group_id=self.group_id, generation_id=self.generation, member_id=self.member_id
            ),
            HeartbeatResponse,
        )
        self.is_stable = not answer.error_code


def _form(delay_ms: str, budget: float | None, how: str) -> Iterator[Figure]:
    with BrokerProcess("--set", f"group.initial.rebalance.delay.ms={delay_ms}") as broker:
        create_topic(broker.host, broker.port, TOPIC, OFFSETS_EACH_COMMIT)
        before = broker.cpu_seconds()
        seconds = asyncio.run(_form_groups(broker))
        taken = broker.cpu_seconds() - before
    count = GROUPS * MEMBERS_EACH
    yield Figure(
        f"{count} members stable in {GROUPS} groups",
        seconds,
        "s",
        budget,
        note=f"{how}; {taken:.2f} s of CPU",
    )


async def _form_groups(broker: BrokerProcess) -> float:
    """Seconds until every member has its share in a generation that all are in."""
    await _make_coordinators(broker)
    members = [
        _Member(await connect(Address(broker.host, broker.port)), f"group-{number % GROUPS}")
        for number in range(GROUPS * MEMBERS_EACH)
    ]
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(GIVE_UP_SECONDS):
        living = [tasks.create_task(member.live()) for member in members]
        for member in members:
            await member.settled.wait()
        seconds = time.perf_counter() - begun
        for task in living:
            task.cancel()
    return seconds


async def _make_coordinators(broker: BrokerProcess) -> None:
    """The topic of the offsets is made when it is asked for first."""
    connection = await connect(Address(broker.host, broker.port))
    request = FindCoordinatorRequest(key_type=0, coordinator_keys=["group-0"])
    while True:
        answer = await connection.call(request, FindCoordinatorResponse)
        if not answer.coordinators[0].error_code:
            return
        await asyncio.sleep(0.05)


# -- offsets ---------------------------------------------------------------------------------------


def _commit_request(group_id: str, partitions: range, offset: int) -> OffsetCommitRequest:
    """Of a program that assigns its partitions itself."""
    committed = [
        OffsetCommitRequestPartition(partition_index=index, committed_offset=offset)
        for index in partitions
    ]
    topic = OffsetCommitRequestTopic(name=TOPIC, partitions=committed)
    return OffsetCommitRequest(group_id=group_id, topics=[topic])


def _commit(broker: BrokerProcess) -> Iterator[Figure]:
    frames = [
        bytes(
            request_frame(
                _commit_request(f"group-{number}", range(1), 42),
                version=COMMIT_VERSION,
                correlation_id=1,
                client_id=CLIENT_ID,
            )
        )
        for number in range(GROUPS)
    ]
    done = load(broker, frames, window=4, connections=8)
    yield Figure(
        "offset commits in a second of one core",
        done.responses / done.broker_cpu_seconds,
        "commits",
        COMMITS_PER_CORE_SECOND_MIN,
        Bound.AT_LEAST,
        note=f"{done.requests_per_second:.0f} a second, p99 {done.p99_us / 1e3:.1f} ms",
    )


def _reload(broker: BrokerProcess) -> Iterator[Figure]:
    _commit_many(broker)
    broker.stop()
    begun = time.perf_counter()
    broker.start()
    known = _fetch_all(broker)
    seconds = time.perf_counter() - begun
    if known < OFFSETS:
        raise RuntimeError(f"only {known} of {OFFSETS} offsets came back")
    yield Figure(
        f"{OFFSETS} offsets known again after a restart",
        seconds,
        "s",
        LOAD_SECONDS_MAX,
        note=f"{broker.start_seconds:.2f} s of it the start",
    )


def _commit_many(broker: BrokerProcess) -> None:
    for number in range(OFFSETS // OFFSETS_EACH_COMMIT):
        request = _commit_request(f"group-{number}", range(OFFSETS_EACH_COMMIT), number)
        answer = ask(broker.host, broker.port, request, COMMIT_VERSION)
        assert isinstance(answer, OffsetCommitResponse)
        errors = {each.error_code for topic in answer.topics for each in topic.partitions}
        if errors != {0}:
            raise RuntimeError(f"commits were refused: {errors}")


def _fetch_all(broker: BrokerProcess) -> int:
    """How many offsets all groups have, once each of them answers."""
    return sum(
        _fetch(broker, f"group-{number}") for number in range(OFFSETS // OFFSETS_EACH_COMMIT)
    )


def _fetch(broker: BrokerProcess, group_id: str) -> int:
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group_id, topics=None)])
    while True:
        answer = ask(broker.host, broker.port, request, FETCH_VERSION)
        assert isinstance(answer, OffsetFetchResponse)
        (group,) = answer.groups
        if not group.error_code:
            return sum(len(topic.partitions) for topic in group.topics)
        time.sleep(0.01)
