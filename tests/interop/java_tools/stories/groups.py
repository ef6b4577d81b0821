"""kafka-consumer-groups and kafka-groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.interop.java_tools.story import Meanwhile, Step, Story, steps

GROUPS: Final = "kafka-consumer-groups"
TOPICS: Final = "kafka-topics"
OF_OTHER_STORIES: Final = r"^(?!GROUP|listed)"

READER: Final = "--topic read-1 --from-beginning --command-property auto.commit.interval.ms=100"


def looked_at(group: str) -> tuple[Step, ...]:
    """Everything that is told of a group."""
    return steps(
        GROUPS,
        Step(GROUPS, f"--describe --group {group}", until="read-1 +0 +20 "),
        Step(GROUPS, f"--describe --group {group} --offsets --verbose"),
        f"--describe --group {group} --members",
        Step(GROUPS, f"--describe --group {group} --members --verbose", any_numbers=True),
        f"--describe --group {group} --state",
        Step(GROUPS, f"--describe --group {group} --state --verbose", any_numbers=True),
        f"! --delete --group {group}",
        f"! --delete-offsets --group {group} --topic read-1",
        f"! --group {group} --reset-offsets --topic read-1 --to-earliest --execute",
    )


STORIES: Final[Mapping[str, Story]] = {
    "groups that are not there": steps(
        GROUPS,
        "! --describe --group nosuch",
        "! --describe --group nosuch --members",
        "! --describe --group nosuch --state",
        "! --delete --group nosuch",
        "! --delete-offsets --group nosuch --topic g1",
        "! --group nosuch --reset-offsets --topic nosuch --to-latest --execute",
        "--group nosuch --reset-offsets --all-topics --to-latest --execute",
    ),
    "groups are listed": steps(
        GROUPS,
        Step(TOPICS, "--create --topic listed"),
        "--group listed --reset-offsets --topic listed --to-earliest --execute",
        Step(GROUPS, "--list", without=OF_OTHER_STORIES),
        Step(GROUPS, "--list --state", without=OF_OTHER_STORIES),
        Step(GROUPS, "--list --type", without=OF_OTHER_STORIES),
        Step(GROUPS, "--list --state Empty", without=OF_OTHER_STORIES),
        Step(GROUPS, "--list --state Stable", without=OF_OTHER_STORIES),
        Step(GROUPS, "--list --type classic", without=OF_OTHER_STORIES),
        Step(GROUPS, "--list --type consumer --state", without=OF_OTHER_STORIES),
        "! --list --state Bogus",
        "! --list --type Bogus",
        Step("kafka-groups", "--list", without=OF_OTHER_STORIES),
        Step("kafka-groups", "--list --consumer", without=OF_OTHER_STORIES),
        Step("kafka-groups", "--list --share", without=OF_OTHER_STORIES),
        Step("kafka-groups", "--list --group-type classic", without=OF_OTHER_STORIES),
        Step("kafka-groups", "--list --protocol consumer", without=OF_OTHER_STORIES),
        Step("kafka-groups", "! --list --group-type bogus"),
        Step("kafka-groups", "! --bogus"),
        "--delete --group listed",
        Step(GROUPS, "--list", without=OF_OTHER_STORIES),
    ),
    "offsets of a group are reset": steps(
        GROUPS,
        Step(TOPICS, "--create --topic reset-1"),
        Step(TOPICS, "--create --topic reset-2 --partitions 2"),
        Step(
            "kafka-console-producer",
            "--topic reset-1 --command-property linger.ms=10000",
            input="a\nb\nc\nd\n",
        ),
        "--group reset --reset-offsets --topic reset-1 --to-earliest --execute",
        Step(
            GROUPS,
            "--group reset --reset-offsets --topic reset-2 --to-earliest --execute",
            any_order=True,
        ),
        Step(GROUPS, "--describe --group reset", any_order=True),
        "--group reset --reset-offsets --topic reset-1 --to-latest --dry-run",
        "--group reset --reset-offsets --topic reset-1 --to-latest",
        "--group reset --reset-offsets --topic reset-1:0 --to-offset 3 --execute",
        "--group reset --reset-offsets --topic reset-1 --shift-by -2 --execute",
        "--group reset --reset-offsets --topic reset-1 --shift-by 100 --execute",
        "--group reset --reset-offsets --topic reset-1 --shift-by -100 --execute",
        "--group reset --reset-offsets --topic reset-1 --to-offset 1000 --execute",
        "--group reset --reset-offsets --topic reset-1 --to-current --execute",
        "--group reset --reset-offsets --topic reset-1 --to-datetime 2020-01-01T00:00:00.000 "
        "--execute",
        "! --group reset --reset-offsets --topic reset-1 --to-datetime yesterday --execute",
        "--group reset --reset-offsets --topic reset-1 --by-duration P1D --execute",
        "! --group reset --reset-offsets --topic reset-1 --by-duration bogus --execute",
        "--group reset --reset-offsets --topic reset-1 --to-latest --export",
        Step(
            GROUPS,
            "--group reset --reset-offsets --from-file {plan} --execute",
            files={"plan": '"reset-1",0,2\n'},
        ),
        Step(
            GROUPS,
            "--group reset --reset-offsets --all-topics --to-latest --execute",
            any_order=True,
        ),
        "! --group reset --reset-offsets --topic reset-1:7 --to-latest --execute",
        "! --group reset --reset-offsets --to-latest --execute",
        "! --group reset --reset-offsets --topic reset-1 --execute",
        "! --group reset --reset-offsets --topic reset-1 --to-latest --to-earliest --execute",
        Step(GROUPS, "--describe --group reset", any_order=True),
        Step(GROUPS, "--describe --group reset --state"),
        Step(GROUPS, "--describe --group reset --members --verbose"),
        Step(GROUPS, "--describe --group reset --offsets --verbose", any_order=True),
        "--group reset --delete-offsets --topic reset-2:1",
        "--group reset --delete-offsets --topic reset-1",
        "! --group reset --delete-offsets --topic nosuch",
        Step(GROUPS, "--describe --group reset", any_order=True),
        "--delete --group reset",
        "! --delete --group reset",
        "! --delete",
        "! --delete-offsets --group reset",
        "! --describe",
        "! --describe --group reset --bogus",
        "! --describe --group reset --members --state",
    ),
    "groups with members": (
        Step(TOPICS, "--create --topic read-1"),
        Step(
            "kafka-producer-perf-test",
            "--topic read-1 --num-records 20 --record-size 5 --throughput -1",
            any_numbers=True,
        ),
        Meanwhile(
            Step("kafka-console-consumer", f"--group reading-classic {READER}"),
            looked_at("reading-classic"),
        ),
        Meanwhile(
            Step(
                "kafka-console-consumer",
                f"--group reading-new {READER} --command-property group.protocol=consumer",
            ),
            looked_at("reading-new"),
        ),
        *steps(
            GROUPS,
            Step(
                GROUPS,
                "--describe --group reading-classic --group reading-new --state",
                until="Empty.*\\n.*Empty",
                any_order=True,
            ),
            Step(GROUPS, "--delete --group reading-classic --group reading-new", in_own_words=True),
        ),
    ),
    "expressions are tried": steps(
        GROUPS,
        "--validate-regex a.*",
        Step(GROUPS, "--validate-regex a.*(", in_own_words=True),
    ),
}
