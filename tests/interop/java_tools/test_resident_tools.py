"""Tools that run in one JVM are as those that run alone: their output, exit codes and ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.broker_process import BrokerProcess
from tests.support.java import needs_java
from tests.support.java_tools import JavaTools, ToolCall

pytestmark = [needs_java, pytest.mark.interop]


@pytest.fixture(scope="module")
def tools() -> Iterator[JavaTools]:
    with JavaTools() as made:
        yield made


def test_what_is_said_and_the_exit_code_are_of_the_run(
    tools: JavaTools, shared_broker: BrokerProcess
) -> None:
    server = ("--bootstrap-server", shared_broker.bootstrap)
    told = tools.run_together(
        [
            ToolCall("kafka-topics", (*server, "--create", "--topic", f"resident-{number}"))
            for number in range(3)
        ]
    )
    assert [run.out for run in told] == [f"Created topic resident-{n}.\n" for n in range(3)]
    assert {(run.err, run.code, run.late) for run in told} == {("", 0, False)}
    assert tools.run("kafka-topics", *server, "--bogus").code == 1
    # Its parser ends the process by itself.
    assert tools.run("kafka-cluster", "bogus").code == 1
    assert tools.run("kafka-topics", *server, "--list", "--topic", "resident.*").code == 0


def test_a_run_is_stopped_where_it_is_late_or_nobody_wants_it_any_more(
    tools: JavaTools, shared_broker: BrokerProcess
) -> None:
    server = ("--bootstrap-server", shared_broker.bootstrap)
    tools.run("kafka-topics", *server, "--create", "--topic", "endless")
    tools.run("kafka-console-producer", *server, "--topic", "endless", typed="a\nb\n")
    read = (*server, "--topic", "endless", "--partition", "0", "--offset", "earliest")
    late = tools.run_together([ToolCall("kafka-console-consumer", read, seconds_max=0.5)])[0]
    assert (late.code, late.late) == (143, True)
    endless = tools.begin(ToolCall("kafka-console-consumer", read))
    counted = tools.run("kafka-console-consumer", *read, "--max-messages", "2")
    assert (counted.out, counted.code) == ("a\nb\n", 0)
    tools.stop(endless)
    stopped = tools.finish(endless)
    assert (stopped.code, stopped.late) == (143, False)
    assert "a\nb\n".startswith(stopped.out)
