"""What is damaged is mended as recovery would, and what is cut is kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ottla.log.inspection.directory_check import question_for
from ottla.log.inspection.finding import Problem
from ottla.log.inspection.partition_check import check_partition
from ottla.log.inspection.repair import Action, plan_repair, repair
from ottla.log.inspection.repair_checkpoints import mend_checkpoints
from ottla.testing.memory_disk import MemoryDisk
from tests.golden.dump import GOLDEN
from tests.unit.log.inspection.support import DATA, change, findings, flip, golden_disk
from tests.unit.log.inspection.test_verify import (
    ABORTED,
    EPOCHS,
    INDEX,
    LAST,
    LOG,
    RECOVERY,
    SEEDED,
    SNAPSHOT,
    TIMES,
    TRANSACTIONS,
    removed,
)

MENDED = {
    "half a header behind",
    "zeros behind",
    "an index that points to no batch",
    "an index entry of another time",
    "a time index that was cut",
    "an offset index with a wrong position",
    "an offset index behind the log",
    "an offset index that goes back",
    "an offset index of another batch",
    "an index that is missing",
    "an aborted transaction of another producer",
    "an aborted transaction's begin",
    "an aborted transaction's stable offset",
    "an unknown version of aborted transactions",
    "an aborted transaction that is missing",
    "no transaction index",
    "a transaction index that was cut",
    "a snapshot",
    "the snapshot of another offset",
    "a snapshot from behind the end",
    "epochs",
    "epochs that were cut",
    "an epoch behind the end",
    "no epochs",
    "an index without a log",
    "an unfinished compaction",
}


def mend(disk: MemoryDisk, folder: str, *, cut: bool = False) -> set[Action]:
    question = question_for(disk, DATA, folder, {})
    return {step.action for step in repair(disk, question, cut_after_damage=cut)}


def kept(disk: MemoryDisk, folder: str) -> dict[str, bytes]:
    """What the repair has set aside."""
    path = f"{DATA}/{folder}"
    damaged = [name for name in disk.list_dir(path) if name.endswith(".damaged")]
    return {name: disk.read_file(f"{path}/{name}") for name in damaged}


@pytest.mark.parametrize("name", sorted(MENDED))
def test_what_can_be_made_from_the_batches_is_made_anew(name: str) -> None:
    damage, (path, _, _) = SEEDED[name]
    disk = golden_disk()
    damage(disk)
    question = question_for(disk, DATA, path.partition("/")[0], {})
    plan = plan_repair(disk, question)
    assert plan.steps
    assert plan.left == []
    repair(disk, question)
    assert check_partition(disk, question).findings == []


@pytest.mark.parametrize("name", [INDEX, TIMES, ABORTED, EPOCHS])
def test_what_is_rebuilt_is_what_kafka_wrote(name: str) -> None:
    disk = golden_disk()
    removed(name)(disk)
    mend(disk, name.partition("/")[0])
    assert disk.read_file(f"{DATA}/{name}") == (GOLDEN / name).read_bytes()


def test_a_torn_tail_is_cut_and_kept() -> None:
    disk = golden_disk()
    change(disk, LAST, lambda data: data + b"torn")
    question = question_for(disk, DATA, "rolled-0", {})
    assert plan_repair(disk, question).cuts
    assert Action.CUT in mend(disk, "rolled-0")
    before = (GOLDEN / LAST).read_bytes()
    assert disk.read_file(f"{DATA}/{LAST}") == before
    assert kept(disk, "rolled-0") == {f"{120:020d}.log.{len(before)}.damaged": b"torn"}
    assert findings(disk) == []


def test_a_plan_changes_nothing() -> None:
    disk = golden_disk()
    change(disk, LAST, lambda data: data + b"torn")
    change(disk, SNAPSHOT, flip(20))
    plan_repair(disk, question_for(disk, DATA, "rolled-0", {}))
    plan_repair(disk, question_for(disk, DATA, "transactions-0", {}))
    assert kept(disk, "rolled-0") == kept(disk, "transactions-0") == {}
    assert disk.read_file(f"{DATA}/{LAST}").endswith(b"torn")


def test_damage_in_the_middle_stays_unless_it_is_asked_for() -> None:
    disk = golden_disk()
    change(disk, TRANSACTIONS, flip(204 + 70))
    question = question_for(disk, DATA, "transactions-0", {})
    plan = plan_repair(disk, question)
    assert not plan.cuts
    assert Problem.BATCH_CRC in {finding.problem for finding in plan.left}
    mend(disk, "transactions-0")
    size = len((GOLDEN / TRANSACTIONS).read_bytes())
    assert len(disk.read_file(f"{DATA}/{TRANSACTIONS}")) == size


def test_on_demand_the_log_ends_at_the_damage_and_the_rest_is_kept() -> None:
    disk = golden_disk()
    change(disk, LOG, flip(70))
    whole = disk.read_file(f"{DATA}/{LOG}")
    mend(disk, "rolled-0", cut=True)
    question = question_for(disk, DATA, "rolled-0", {})
    report = check_partition(disk, question)
    assert report.findings == []
    assert report.end_offset == 40
    set_aside = kept(disk, "rolled-0")
    assert set_aside[f"{40:020d}.log.0.damaged"] == whole
    for base in (80, 120):
        name = f"{base:020d}.log"
        assert set_aside[f"{name}.0.damaged"] == (GOLDEN / "rolled-0" / name).read_bytes()


def test_a_second_repair_keeps_what_the_first_has_kept() -> None:
    disk = golden_disk()
    for tail in (b"first", b"second"):
        change(disk, LAST, lambda data, tail=tail: data + tail)  # type: ignore[misc] # a default binds it
        mend(disk, "rolled-0")
    assert sorted(kept(disk, "rolled-0").values()) == [b"first", b"second"]


def test_nothing_is_done_where_nothing_is_wrong() -> None:
    disk = golden_disk()
    for folder in (name for name in disk.list_dir(DATA) if name.endswith("-0")):
        assert mend(disk, folder) == set()


@pytest.mark.parametrize(
    "damage",
    [SEEDED["a checkpoint behind the end"][0], SEEDED["a checkpoint of no partition"][0]],
    ids=["behind", "nobody's"],
)
def test_checkpoints_come_down_to_what_the_logs_hold(damage: Callable[[MemoryDisk], None]) -> None:
    disk = golden_disk()
    damage(disk)
    bad = disk.read_file(f"{DATA}/{RECOVERY}")
    steps, left = mend_checkpoints(disk, DATA, {}, dry_run=True)
    assert (len(steps), left) == (1, [])
    assert disk.read_file(f"{DATA}/{RECOVERY}") == bad
    mend_checkpoints(disk, DATA, {}, dry_run=False)
    assert disk.read_file(f"{DATA}/{RECOVERY}.damaged") == bad
    assert findings(disk) == []
