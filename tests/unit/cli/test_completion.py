"""What a shell is offered, by the line that was typed so far."""

from __future__ import annotations

import asyncio

import pytest

from ottla.cli import options, shells
from ottla.cli.main import root
from ottla.cli.program import COMPLETION_VARIABLE
from ottla.client.producer import Producer
from tests.support.command_line import CommandLine


@pytest.fixture
def offered(shared_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> object:
    broker = shared_line.broker
    cluster = options.ClusterOptions(broker.bootstrap, {"connector": broker.connector})
    monkeypatch.setattr(options, "cluster_of", lambda *_: cluster)
    broker.create_topic("completed-one")
    broker.create_topic("completed-two")
    yield bash
    broker.delete_topic("completed-one")
    broker.delete_topic("completed-two")


def bash(line: str) -> list[str]:
    """What bash is answered: the values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTTLA_COMP_LINE", line)
        answer = shells.completions(root(), "bash_complete")
    return [item.partition(",")[2] for item in answer.splitlines()]


def test_nouns_verbs_and_options_complete() -> None:
    assert bash("ottla tok") == ["token"]
    assert bash("ottla topic de") == ["delete", "delete-records", "describe"]
    assert "--json" in bash("ottla topic list --")


@pytest.mark.usefixtures("offered")
def test_topics_complete_by_asking_the_cluster() -> None:
    assert bash("ottla topic describe completed-") == ["completed-one", "completed-two"]
    assert bash("ottla config describe topic completed-o") == ["completed-one"]


@pytest.mark.usefixtures("offered")
def test_keys_of_settings_complete_by_what_they_are_of() -> None:
    assert bash("ottla config unset topic completed-one retention.") == [
        "retention.bytes",
        "retention.ms",
    ]
    assert "ottla.broker" in bash("ottla config set broker-logger 1 ottla.bro")


def test_settings_of_a_new_topic_complete_without_a_cluster() -> None:
    assert bash("ottla topic create x -c retention.") == ["retention.bytes=", "retention.ms="]


@pytest.mark.usefixtures("offered")
def test_bash_is_answered_with_what_follows_the_cut_of_its_words(shared_line: CommandLine) -> None:
    assert bash("ottla topic create x --config=retention.") == ["retention.bytes=", "retention.ms="]
    broker = shared_line.broker

    async def begin() -> None:
        async with Producer(
            broker.bootstrap, connector=broker.connector, transactional_id="team:billing"
        ):
            pass

    asyncio.run(begin())
    assert bash("ottla txn describe team:b") == ["billing"]


def test_a_cluster_that_is_not_there_offers_nothing_and_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = options.ClusterOptions("nobody.invalid:1", {})
    monkeypatch.setattr(options, "cluster_of", lambda *_: nobody)
    assert bash("ottla topic describe ") == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str, line: CommandLine) -> None:
    script = line.run("completion", shell).stdout
    assert f"{COMPLETION_VARIABLE}={shell}_complete" in script
