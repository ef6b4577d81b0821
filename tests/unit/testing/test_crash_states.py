"""The generator of crash states, on a few calls that can be followed by hand."""

from __future__ import annotations

from ottla.base.world import replace_file
from ottla.testing.crash_states import CrashState, crash_states, flipped, state_of
from ottla.testing.fault_model import Change, FileHistory, possible_contents
from ottla.testing.recording_disk import RecordingDisk
from tests.support.cluster import SeededRng


def recorded() -> RecordingDisk:
    disk = RecordingDisk()
    disk.make_dir("d/topic")
    disk.begin()
    return disk


def states(disk: RecordingDisk) -> list[CrashState]:
    return list(crash_states(disk.moments, SeededRng()))


def losses(disk: RecordingDisk) -> list[dict[str, bytes]]:
    """What a power loss may leave at the end."""
    found = crash_states(disk.moments[-1:], SeededRng())
    return [state.content.files for state in found if state.is_power_loss]


def test_a_killed_process_leaves_all_that_it_wrote() -> None:
    disk = recorded()
    disk.open("d/a", create=True).append([b"one"])
    (kill,) = (state for state in states(disk) if state.id == "2/kill")
    assert kill.content.files == {"d/a": b"one"}


def test_what_is_synced_is_never_lost_and_what_is_not_may_be() -> None:
    disk = recorded()
    file = disk.open("d/a", create=True)
    file.append([b"one"])
    file.sync()
    assert {} in losses(disk), "its name was not synced"
    disk.sync_dir("d")
    assert losses(disk) == [{"d/a": b"one"}]
    file.append([b"two"])
    assert {found["d/a"][:3] for found in losses(disk)} == {b"one"}
    assert {b"one", b"onet", b"onetwo"} <= {found["d/a"] for found in losses(disk)}


def test_any_of_the_unsynced_writes_may_be_missing() -> None:
    history = FileHistory(b"", (Change(0, b"a"), Change(1, b"b"), Change(2, b"c")))
    assert {b"abc", b"\0bc", b"a\0c", b"\0\0c", b"\0\0\0", b"ab", b""} <= set(
        possible_contents(history)
    )


def test_large_writes_are_torn_at_sectors_and_pages() -> None:
    history = FileHistory(b"", (Change(0, b"x" * 10_000),))
    assert {512, 4096, 30, 10_000} <= {len(found) for found in possible_contents(history)}


def test_a_replaced_file_is_the_old_one_or_the_new_one() -> None:
    disk = recorded()
    replace_file(disk, "d/a", b"old")
    begin = len(disk.moments)
    replace_file(disk, "d/a", b"new")
    found = {state.content.files.get("d/a") for state in states(disk)[begin:]}
    assert found >= {b"old", b"new"}
    late = list(crash_states(disk.moments[begin:], SeededRng()))
    assert {state.content.files["d/a"] for state in late} == {b"old", b"new"}


def test_a_renamed_folder_has_the_old_name_or_the_new_one() -> None:
    disk = recorded()
    disk.rename("d/topic", "d/gone")
    found = [state.content.folders for state in crash_states(disk.moments[-1:], SeededRng())]
    assert ["d", "d/topic"] in found
    assert ["d", "d/gone"] in found
    assert ["d"] not in found


def test_every_id_makes_its_state_again() -> None:
    disk = recorded()
    for name in ("a", "b", "c"):
        file = disk.open(f"d/{name}", create=True)
        file.append([name.encode() * 600])
        file.append([b"more"])
    found = states(disk)
    assert len({state.id for state in found}) == len(found)
    for state in found:
        assert state_of(disk.moments, state.id).content == state.content


def test_states_share_nothing_that_changes() -> None:
    disk = recorded()
    disk.open("d/a", create=True).append([b"one"])
    state = states(disk)[-1]
    first = state.disk()
    first.open("d/a", create=True).append([b"two"])
    assert state.disk().exists("d/a") == ("d/a" in state.content.files)
    assert b"two" not in b"".join(state.content.files.values())


def test_one_bit_is_flipped() -> None:
    disk = recorded()
    disk.open("d/a", create=True).append([b"\0\0"])
    kill = state_of(disk.moments, f"{len(disk.moments) - 1}/kill")
    assert flipped(kill.content, "d/a", 9).files["d/a"] == b"\0\2"
