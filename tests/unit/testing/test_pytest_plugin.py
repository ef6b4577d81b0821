"""The fixtures as a user's test run sees them: each test here is a whole run of pytest inside.

Unlike other unit tests these start real brokers, in this process; the plugin is about nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ottla.testing.broker
import ottla.testing.broker_process
import ottla.testing.broker_thread  # noqa: F401 # an inner run forgets what it is first to import
from ottla.broker.discovery import load_handlers

pytest_plugins = ["pytester"]

load_handlers()  # registers things once, so no inner run may be the first to do it

PLUGIN = "ottla.testing.pytest_plugin"


@pytest.fixture(autouse=True)
def temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where brokers of inner runs keep their data; those runs load no plugins by themselves."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return folder


def run(pytester: pytest.Pytester) -> pytest.RunResult:
    """A run with no plugin but ours: importing the others each time is what would take long."""
    return pytester.runpytest_inprocess("-p", PLUGIN, "-p", "no:cacheprovider", "--strict-markers")


def test_pytest_finds_the_plugin_by_itself() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"ottla": PLUGIN}


def test_one_broker_serves_every_test_and_leaves_nothing_behind(
    pytester: pytest.Pytester, temporary_folder: Path
) -> None:
    pytester.makepyfile(
        """
        seen = []

        def test_a(ottla_broker, ottla_topic):
            seen.append((ottla_broker.bootstrap, ottla_topic))
            assert ottla_topic.startswith("test_a-")

        def test_b(ottla_broker, ottla_topic):
            seen.append((ottla_broker.bootstrap, ottla_topic))
            assert seen[0][0] == seen[1][0]
            assert seen[0][1] != seen[1][1]
            assert ottla_broker.settings["group.initial.rebalance.delay.ms"] == "0"
        """
    )
    run(pytester).assert_outcomes(passed=2)
    assert list(temporary_folder.iterdir()) == []


def test_a_topic_is_deleted_after_its_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from ottla.base.errors import ProtocolError

        names = []

        @pytest.mark.ottla_topic(partitions=3, cleanup_policy="compact")
        def test_a(ottla_broker, ottla_topic):
            names.append(ottla_topic)
            with pytest.raises(ProtocolError, match="TOPIC_ALREADY_EXISTS"):
                ottla_broker.create_topic(ottla_topic)

        def test_b(ottla_broker):
            with pytest.raises(ProtocolError, match="UNKNOWN_TOPIC_OR_PARTITION"):
                ottla_broker.delete_topic(names[0])

        def test_c(ottla_broker, ottla_topic):
            ottla_broker.delete_topic(ottla_topic)
        """
    )
    run(pytester).assert_outcomes(passed=3)


@pytest.mark.parametrize("configs", ["cleanup_policy='nonsense'", "partitions=-7"])
def test_the_words_of_a_topics_marker_reach_the_broker(
    pytester: pytest.Pytester, configs: str
) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.ottla_topic({configs})
        def test_a(ottla_topic):
            assert False, "never comes here"
        """
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *ProtocolError: INVALID_*"])


def test_settings_come_from_the_ini_file_and_markers_over_it(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        """
        [pytest]
        ottla_broker_form = process
        ottla_broker_settings =
            num.partitions=3
            message.max.bytes = 2000
        """
    )
    pytester.makepyfile(
        """
        import pytest

        def test_ini(ottla_broker):
            assert ottla_broker.form == "process"
            assert ottla_broker.settings["num.partitions"] == "3"
            assert ottla_broker.settings["message.max.bytes"] == "2000"

        @pytest.mark.ottla_broker({"num.partitions": 5}, form="thread")
        @pytest.mark.ottla_broker(auto_create_topics_enable=False)
        class TestMarked:
            def test_marker(self, ottla_broker):
                assert ottla_broker.form == "thread"
                assert ottla_broker.settings["num.partitions"] == "5"
                assert ottla_broker.settings["message.max.bytes"] == "2000"
                assert ottla_broker.settings["auto.create.topics.enable"] == "false"

            @pytest.mark.ottla_broker(num_partitions=6)
            def test_nearest_marker_wins(self, ottla_broker):
                assert ottla_broker.settings["num.partitions"] == "6"
                assert ottla_broker.settings["auto.create.topics.enable"] == "false"
        """
    )
    run(pytester).assert_outcomes(passed=3)


def test_tests_with_equal_markers_share_a_broker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        addresses = []

        @pytest.mark.ottla_broker(num_partitions=2)
        def test_a(ottla_broker):
            addresses.append(ottla_broker.bootstrap)

        @pytest.mark.ottla_broker({"num.partitions": 2})
        def test_b(ottla_broker):
            assert addresses == [ottla_broker.bootstrap]
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_what_a_test_breaks_is_whole_for_the_next(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        addresses = []

        def test_a(ottla_broker, ottla_topic):
            addresses.append(ottla_broker.bootstrap)
            ottla_broker.faults.fail("Produce", "NOT_LEADER_OR_FOLLOWER", times=None)
            ottla_broker.kill()

        def test_b(ottla_broker, ottla_topic):
            assert ottla_broker.running
            assert not ottla_broker.faults.concern(0)
            assert addresses == [ottla_broker.bootstrap]
            ottla_broker.stop()

        def test_c(ottla_broker):
            assert ottla_broker.running
        """
    )
    run(pytester).assert_outcomes(passed=3)


def test_a_failure_shows_what_the_broker_told_during_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_a(ottla_broker):
            ottla_broker.restart()

        def test_b(ottla_broker):
            assert False

        def test_c(ottla_broker):
            ottla_broker.restart()
            assert False
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=2)
    shown = result.stdout.str().split("log of ottla_broker")
    assert [part.count("stopped cleanly") for part in shown[1:]] == [1]


def test_the_brokers_log_stays_out_of_the_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import logging

        def test_a(ottla_broker, caplog):
            caplog.set_level(logging.DEBUG)
            ottla_broker.restart()
            assert "stopped cleanly" in ottla_broker.log()
            assert not [record for record in caplog.records if record.name.startswith("ottla")]
        """
    )
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("ini", "told"),
    [
        ("ottla_broker_settings = num.partitions", "*takes KEY=VALUE*"),
        ("ottla_broker_form = container", "*one of thread, process, memory, not 'container'*"),
        ("ottla_broker_settings = listeners=PLAINTEXT://:9092", "*listeners cannot be set*"),
        ("ottla_broker_settings = num.partitions=many", "*num.partitions*"),
    ],
)
def test_wrong_settings_are_told(pytester: pytest.Pytester, ini: str, told: str) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile("def test_a(ottla_broker): pass")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([told])


def test_a_run_without_brokers_imports_nothing_but_the_plugin() -> None:
    program = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        f"import {PLUGIN}\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout.decode().split() == ["ottla", "ottla.testing", PLUGIN]


def test_a_broker_in_memory_has_topics_faults_and_settings_of_its_own(
    pytester: pytest.Pytester, temporary_folder: Path
) -> None:
    pytester.makepyfile(
        """
        import asyncio
        import pytest
        from ottla.client.errors import NodeError
        from ottla.client.producer import Producer
        from ottla.client.producer.errors import DeliveryError

        brokers = []

        def send(broker, topic, value, **settings):
            async def main():
                async with Producer(
                    broker.bootstrap, connector=broker.connector, **settings
                ) as producer:
                    return await producer.send_and_wait(topic, value)
            return asyncio.run(main())

        def test_a(ottla_memory_broker, ottla_topic):
            brokers.append(ottla_memory_broker)
            assert ottla_memory_broker.form == "memory"
            fault = ottla_memory_broker.faults.lose_answer("Produce")
            assert send(ottla_memory_broker, ottla_topic, b"v").offset == 0
            assert fault.hits == 1
            ottla_memory_broker.faults.fail("Produce", "INVALID_REQUIRED_ACKS", times=None)
            ottla_memory_broker.kill()

        def test_b(ottla_topic, ottla_memory_broker):
            assert ottla_memory_broker is brokers[0]
            assert send(ottla_memory_broker, ottla_topic, b"v").offset == 0

        @pytest.mark.ottla_broker({"message.max.bytes": 1000})
        def test_c(ottla_memory_broker, ottla_topic):
            assert ottla_memory_broker is not brokers[0]
            with pytest.raises(DeliveryError, match="MESSAGE_TOO_LARGE"):
                send(ottla_memory_broker, ottla_topic, bytes(2000))

        def test_d(ottla_topic, ottla_broker):
            assert ottla_broker.form == "thread"
            assert send(ottla_broker, ottla_topic, b"v").offset == 0
        """
    )
    run(pytester).assert_outcomes(passed=4)
    assert list(temporary_folder.iterdir()) == []
