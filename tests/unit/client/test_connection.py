"""One connection: versions, matching of answers, and how it fails."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import CLIENT_REQUESTS_IN_FLIGHT_MAX
from ottla.client.address import Address
from ottla.client.connection import Connection, connect
from ottla.client.errors import (
    AnswerTimeoutError,
    ConnectionLostError,
    NodeUnreachableError,
    UnsendableError,
)
from ottla.wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from ottla.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.schema import Message
from ottla.wire.versions import VersionRange
from tests.support.data_requests import produce
from tests.support.memory_network import raw, scripted
from tests.support.scripted_broker import ScriptedBroker
from tests.support.scripted_cluster import ScriptedCluster, address_of
from tests.unit.client.conftest import MakeNodes

NODE = address_of(1)


def metadata(request: MetadataRequest) -> Message:
    """Answers with the name that was asked for as the cluster's id."""
    assert request.topics is not None
    return MetadataResponse(cluster_id=request.topics[0].name if request.topics else "none")


def about(name: str) -> MetadataRequest:
    return MetadataRequest(topics=[MetadataRequestTopic(name=name)])


class Line:
    """A node that answers by `metadata`, and connections to it."""

    def __init__(self, nodes: ScriptedCluster) -> None:
        self.nodes = nodes
        self.network = nodes.network
        self._made: list[Connection] = []
        self.broker = ScriptedBroker({MetadataRequest: metadata})
        self.serve(self.broker)

    def serve(self, broker: ScriptedBroker) -> ScriptedBroker:
        self.broker = broker
        self.network.listen(NODE, scripted(broker))
        return broker

    def connect(self, timeout_s: float = 30.0) -> Connection:
        made = self.nodes.run(
            connect(NODE, timeout_s=timeout_s, connector=self.network.connect), ms_max=60_000
        )
        self._made.append(made)
        return made

    def ask(self, connection: Connection, name: str, **how: float) -> asyncio.Task[str | None]:
        async def ask() -> str | None:
            return (await connection.call(about(name), MetadataResponse, **how)).cluster_id  # type: ignore[arg-type]  # the caller's words

        return self.nodes.loop.create_task(ask())

    @property
    def names_asked(self) -> list[str | None]:
        """In the order in which the node was asked."""
        requests = [request for request, _ in self.broker.asked]
        return [
            request.topics[0].name
            for request in requests
            if isinstance(request, MetadataRequest) and request.topics
        ]

    def close(self) -> None:
        for made in self._made:
            self.nodes.loop.finish(made.close())


@pytest.fixture
def line(make_nodes: MakeNodes) -> Iterator[Line]:
    made = Line(make_nodes())
    yield made
    made.close()


# -- versions ------------------------------------------------------------------------------------


def test_the_highest_common_version_is_asked(line: Line) -> None:
    broker = line.serve(
        ScriptedBroker({MetadataRequest: metadata}, versions={MetadataRequest: VersionRange(0, 9)})
    )
    connection = line.connect()
    assert line.nodes.loop.finish(connection.call(about("x"), MetadataResponse)).cluster_id == "x"
    assert connection.version_of(MetadataRequest) == 9
    assert connection.version_of(MetadataRequest, at_most=4) == 4
    assert connection.version_of(MetadataRequest, at_most=99) == 9
    assert [version for _, version in broker.asked] == [9]


def test_a_node_that_speaks_only_the_first_api_versions_is_understood(line: Line) -> None:
    line.serve(ScriptedBroker({MetadataRequest: metadata}, api_versions=VersionRange(0, 2)))
    connection = line.connect()
    assert line.nodes.loop.finish(connection.call(about("x"), MetadataResponse)).cluster_id == "x"


def test_what_a_node_does_not_have_is_not_asked(line: Line) -> None:
    broker = line.serve(
        ScriptedBroker(
            {MetadataRequest: metadata}, versions={MetadataRequest: VersionRange(5, 100)}
        )
    )
    connection = line.connect()
    request = DescribeClusterRequest(include_cluster_authorized_operations=False)
    with pytest.raises(ProtocolError) as error:
        line.nodes.loop.finish(connection.call(request, DescribeClusterResponse))
    assert error.value.code == ErrorCode.UNSUPPORTED_VERSION
    with pytest.raises(ProtocolError, match="up to 4"):
        line.nodes.loop.finish(connection.call(about("x"), MetadataResponse, at_most=4))
    assert not connection.speaks(DescribeClusterRequest)
    assert connection.speaks(MetadataRequest)
    assert broker.asked == []
    assert connection.is_idle


# -- matching ------------------------------------------------------------------------------------


def test_many_requests_may_be_on_their_way(line: Line) -> None:
    connection = line.connect()
    names = [f"n{number}" for number in range(100)]
    tasks = [line.ask(connection, name) for name in names]
    line.nodes.finish(*tasks)
    assert [task.result() for task in tasks] == names


@pytest.mark.parametrize("name", ["not unicode \udcff", "long" * 10_000])
def test_what_no_message_can_carry_is_the_askers_error_and_nobody_elses(
    line: Line, name: str
) -> None:
    connection = line.connect()
    with pytest.raises(UnsendableError, match="MetadataRequest cannot be sent"):
        line.nodes.loop.finish(connection.call(about(name), MetadataResponse))
    next_ = line.nodes.loop.finish(connection.call(about("next"), MetadataResponse))
    assert next_.cluster_id == "next"
    assert line.names_asked == ["next"]


def test_requests_beyond_the_bound_stand_in_line_and_keep_their_order(line: Line) -> None:
    connection = line.connect()
    line.network.stalled.add(NODE)
    names = [f"n{number}" for number in range(CLIENT_REQUESTS_IN_FLIGHT_MAX + 50)]
    tasks = [line.ask(connection, name) for name in names]
    line.nodes.loop.settle()
    assert connection.in_flight == CLIENT_REQUESTS_IN_FLIGHT_MAX
    tasks[-3].cancel()
    late = line.ask(connection, "late")
    line.network.resume(NODE)
    line.nodes.finish(*tasks, late)
    assert line.names_asked == [*names[:-3], *names[-2:], "late"]
    assert late.result() == "late"


def test_a_full_transport_holds_requests_back(line: Line) -> None:
    connection = line.connect()
    (stream,) = line.network.streams
    stream.fill()
    tasks = [line.ask(connection, "first"), line.ask(connection, "second")]
    line.nodes.loop.settle()
    assert line.broker.asked == []
    stream.drain()
    line.nodes.finish(*tasks)
    assert [task.result() for task in tasks] == ["first", "second"]


def test_one_in_line_whose_time_is_over_is_not_sent(line: Line) -> None:
    connection = line.connect()
    (stream,) = line.network.streams
    stream.fill()
    late = line.ask(connection, "late", timeout_s=1)
    line.nodes.finish(late)
    assert isinstance(late.exception(), AnswerTimeoutError)
    stream.drain()
    assert line.nodes.loop.finish(connection.call(about("x"), MetadataResponse)).cluster_id == "x"
    assert len(line.broker.asked) == 1


def test_a_call_that_is_cancelled_at_any_step_leaves_the_connection_to_the_others(
    line: Line,
) -> None:
    connection = line.connect()
    steps = 0
    while True:
        before, gone, after = (line.ask(connection, name) for name in ("before", "gone", "after"))
        for _ in range(steps):
            line.nodes.step()
        if gone.done():
            break
        gone.cancel()
        line.nodes.finish(before, gone, after)
        assert gone.cancelled()
        assert (before.result(), after.result()) == ("before", "after")
        line.nodes.loop.settle()
        assert connection.is_idle
        steps += 1
    line.nodes.finish(before, after)
    assert steps >= 3
    assert len(line.network.connects) == 1


def test_an_answer_that_does_not_come_is_given_up_and_the_next_still_matches(line: Line) -> None:
    connection = line.connect()
    line.network.stalled.add(NODE)
    late = line.ask(connection, "late", timeout_s=1)
    line.nodes.finish(late)
    error = late.exception()
    assert isinstance(error, AnswerTimeoutError)
    assert "node-1:9092 has not answered within 1 s" in str(error)
    assert not connection.is_lost
    following = line.ask(connection, "next")
    line.nodes.loop.settle()
    line.network.resume(NODE)
    line.nodes.finish(following)
    assert following.result() == "next"


def test_a_node_that_owes_an_answer_for_too_long_loses_the_connection(line: Line) -> None:
    connection = line.connect(timeout_s=10)
    line.network.stalled.add(NODE)
    first = line.ask(connection, "first", timeout_s=2)
    line.nodes.loop.settle()
    line.nodes.loop.advance(4000)
    second = line.ask(connection, "second")
    line.nodes.finish(first, second)
    assert isinstance(second.exception(), AnswerTimeoutError)
    assert connection.is_lost
    assert line.nodes.loop.clock.elapsed_ms == 10_000


def test_behind_an_answer_that_may_take_long_the_others_are_not_late(line: Line) -> None:
    connection = line.connect(timeout_s=10)
    line.network.stalled.add(NODE)
    patient = line.ask(connection, "patient", timeout_s=300)
    behind = line.ask(connection, "behind")
    line.nodes.finish(behind)
    assert isinstance(behind.exception(), AnswerTimeoutError)
    line.nodes.loop.advance(200_000)
    assert not connection.is_lost
    line.network.resume(NODE)
    line.nodes.finish(patient)
    assert patient.result() == "patient"


def test_a_node_that_answers_slowly_but_steadily_is_kept(line: Line) -> None:
    connection = line.connect(timeout_s=10)
    delays = iter([9_000, 18_000, 27_000])
    line.network.delay_ms = lambda: next(delays)
    first, second, third = (
        line.ask(connection, name, timeout_s=seconds)
        for name, seconds in (("a", 10), ("b", 10), ("c", 28))
    )
    line.nodes.finish(first, second, third)
    assert first.result() == "a"
    assert isinstance(second.exception(), AnswerTimeoutError)
    assert third.result() == "c"
    assert not connection.is_lost


def test_after_a_patient_call_the_next_is_not_waited_for_as_long(line: Line) -> None:
    connection = line.connect(timeout_s=10)
    line.nodes.finish(line.ask(connection, "patient", timeout_s=300))
    line.network.stalled.add(NODE)
    patient = line.ask(connection, "patient", timeout_s=300)
    behind = line.ask(connection, "behind", timeout_s=5)
    line.nodes.finish(behind)
    line.nodes.loop.advance(95_000)
    assert not connection.is_lost
    line.network.stalled.discard(NODE)
    (stream,) = line.network.streams
    line.network.piece_bytes = len(stream.on_the_way) // 2 + 1
    stream.deliver_piece()
    line.nodes.finish(patient)
    line.network.stalled.add(NODE)
    line.nodes.loop.advance(9_999)
    assert not connection.is_lost
    line.nodes.loop.advance(1)
    assert connection.is_lost


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7])
def test_answers_may_come_in_pieces(line: Line, piece_bytes: int) -> None:
    line.network.piece_bytes = piece_bytes
    connection = line.connect()
    tasks = [line.ask(connection, name) for name in ("a", "b" * 500, "c")]
    line.nodes.finish(*tasks)
    assert [task.result() for task in tasks] == ["a", "b" * 500, "c"]


# -- one way, and throttles ----------------------------------------------------------------------


def test_what_has_no_answer_is_told_in_order_with_the_rest(line: Line) -> None:
    def silent(request: ProduceRequest) -> Message:
        assert request.acks == 0
        return MetadataResponse(cluster_id="never sent")

    told: list[str] = []

    def note(name: str, answer: Callable[..., Message]) -> Callable[..., Message]:
        def noted(request: Message) -> Message:
            told.append(name)
            return answer(request)

        return noted

    class OneWay(ScriptedBroker):
        def answer(self, frame: memoryview) -> bytes | None:
            return super().answer(frame) if frame[1] else self._swallow(frame)

        def _swallow(self, frame: memoryview) -> bytes:
            told.append("produce")
            return b""

    line.serve(OneWay({MetadataRequest: note("metadata", metadata), ProduceRequest: silent}))
    connection = line.connect()
    request = produce(("t", 0, b""), acks=0)
    line.nodes.loop.finish(connection.tell(request, at_most=12))
    assert line.nodes.loop.finish(connection.call(about("x"), MetadataResponse)).cluster_id == "x"
    assert told == ["produce", "metadata"]
    assert connection.is_idle


def test_of_two_throttles_the_longer_one_counts(line: Line) -> None:
    throttles = iter([700, 100, 0])
    line.serve(
        ScriptedBroker(
            {MetadataRequest: lambda request: MetadataResponse(throttle_time_ms=next(throttles))}
        )
    )
    connection = line.connect()
    tasks = [line.ask(connection, name) for name in "ab"]
    line.nodes.finish(*tasks)
    line.nodes.finish(line.ask(connection, "c"))
    assert line.nodes.loop.clock.elapsed_ms == 700


def test_a_broker_over_its_quota_is_left_alone_for_as_long_as_it_asks(line: Line) -> None:
    line.serve(
        ScriptedBroker({MetadataRequest: lambda request: MetadataResponse(throttle_time_ms=700)})
    )
    connection = line.connect()
    line.nodes.run(connection.call(about("x"), MetadataResponse))
    assert line.nodes.loop.clock.elapsed_ms == 0
    line.nodes.run(connection.call(about("x"), MetadataResponse))
    assert line.nodes.loop.clock.elapsed_ms == 700


# -- how it ends ---------------------------------------------------------------------------------


def test_a_connection_that_ends_fails_all_who_wait_and_all_who_come(line: Line) -> None:
    line.serve(ScriptedBroker({MetadataRequest: lambda request: None}))
    connection = line.connect()
    tasks = [line.ask(connection, "x") for _ in range(3)]
    line.nodes.finish(*tasks)
    assert all(isinstance(task.exception(), ConnectionLostError) for task in tasks)
    assert connection.is_lost
    with pytest.raises(ConnectionLostError):
        line.nodes.loop.finish(connection.call(about("x"), MetadataResponse))
    line.nodes.loop.finish(connection.close())
    line.nodes.loop.finish(connection.close())


def test_who_stands_in_line_learns_of_the_end(line: Line) -> None:
    connection = line.connect()
    (stream,) = line.network.streams
    stream.fill()
    tasks = [line.ask(connection, "x") for _ in range(3)]
    line.nodes.loop.settle()
    line.network.cut(NODE)
    line.nodes.finish(*tasks, ms_max=1)
    assert all(isinstance(task.exception(), ConnectionLostError) for task in tasks)


def test_a_name_that_cannot_be_one_reaches_nobody(line: Line) -> None:
    async def look_up(address: Address, protocol: Callable[[], asyncio.BufferedProtocol]) -> None:
        address.host.encode("idna")

    with pytest.raises(NodeUnreachableError, match=r"cannot connect to a\.\.b:1"):
        line.nodes.run(connect(Address("a..b", 1), timeout_s=1.0, connector=look_up))


def test_nobody_listening_is_told_with_the_address(line: Line) -> None:
    line.network.stop(NODE)
    with pytest.raises(NodeUnreachableError, match="cannot connect to node-1:9092: nobody"):
        line.connect()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">i", 2) + b"xx",
        struct.pack(">ii", 8, 77) + b"xxxx",
        struct.pack(">ii", 4, 0),
        struct.pack(">iih", 12, 0, 0) + b"\xff" * 6,
        b"",
    ],
)
def test_something_else_on_the_port_is_an_error_and_not_a_hang(line: Line, reply: bytes) -> None:
    line.network.listen(NODE, raw(reply))
    with pytest.raises((ConnectionLostError, ProtocolError)):
        line.connect()
    assert line.network.streams == []


def test_an_answer_to_another_question_ends_the_connection(line: Line) -> None:
    class Confused(ScriptedBroker):
        def answer(self, frame: memoryview) -> bytes | None:
            answer = super().answer(frame)
            if answer is None or frame[1] != MetadataRequest.API_KEY:
                return answer
            (correlation_id,) = struct.unpack_from(">i", answer, 4)
            return answer[:4] + struct.pack(">i", correlation_id + 1) + answer[8:]

    line.serve(Confused({MetadataRequest: metadata}))
    connection = line.connect()
    # The second request has the id that the first answer bears.
    tasks = [line.ask(connection, "first"), line.ask(connection, "second")]
    line.nodes.finish(*tasks)
    assert all(isinstance(task.exception(), ConnectionLostError) for task in tasks)
    assert connection.is_lost
