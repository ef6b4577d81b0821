from __future__ import annotations

from ottla.log.leader_epochs import LeaderEpochs


def epochs() -> LeaderEpochs:
    return LeaderEpochs([(2, 10), (5, 30), (6, 31)])


def test_where_an_epoch_ends() -> None:
    known = epochs()
    assert known.end_offset_for(6, 50) == (6, 50)
    assert known.end_offset_for(5, 50) == (5, 31)
    assert known.end_offset_for(4, 50) == (2, 30)
    assert known.end_offset_for(2, 50) == (2, 30)
    assert known.end_offset_for(1, 50) == (1, 10)
    assert known.end_offset_for(7, 50) == (-1, -1)
    assert known.end_offset_for(-1, 50) == (-1, -1)
    assert LeaderEpochs().end_offset_for(0, 50) == (-1, -1)


def test_which_epoch_wrote_an_offset() -> None:
    assert [epochs().epoch_at(offset) for offset in (9, 10, 29, 30, 31, 99)] == [-1, 2, 2, 5, 6, 6]


def test_a_new_epoch_takes_the_place_of_what_contradicts_it() -> None:
    known = epochs()
    assert not known.assign(6, 40)
    assert known.assign(7, 31)
    assert known.entries() == [(2, 10), (5, 30), (7, 31)]
    assert known.assign(7, 5)
    assert known.entries() == [(7, 5)]


def test_truncating_the_end() -> None:
    known = epochs()
    assert not known.truncate_end(32)
    assert known.truncate_end(31)
    assert known.entries() == [(2, 10), (5, 30)]
    assert known.truncate_end(10)
    assert known.last_epoch == -1


def test_truncating_the_start() -> None:
    known = epochs()
    assert not known.truncate_start(9)
    assert not known.truncate_start(10)
    assert known.truncate_start(20)
    assert known.entries() == [(2, 20), (5, 30), (6, 31)]
    assert known.truncate_start(30)
    assert known.entries() == [(5, 30), (6, 31)]
    assert known.truncate_start(100)
    assert known.entries() == [(6, 100)]
