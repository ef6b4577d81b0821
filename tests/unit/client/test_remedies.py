"""What helps against which error."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.client.remedies import Remedy, known_error, remedy_of


def test_what_kafkas_clients_try_again_is_tried_again_and_nothing_else() -> None:
    tried_again = {code for code in ErrorCode if remedy_of(code).retriable}
    assert tried_again == {code for code in ErrorCode if code.retriable} | {
        ErrorCode.REBOOTSTRAP_REQUIRED
    }


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (ErrorCode.NONE, Remedy.NOTHING_WRONG),
        (ErrorCode.NOT_LEADER_OR_FOLLOWER, Remedy.REFRESH_METADATA),
        (ErrorCode.UNKNOWN_LEADER_EPOCH, Remedy.WAIT),
        (ErrorCode.NOT_ENOUGH_REPLICAS, Remedy.WAIT),
        (ErrorCode.NOT_COORDINATOR, Remedy.FIND_COORDINATOR),
        (ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, Remedy.WAIT),
        (ErrorCode.INVALID_FETCH_SESSION_EPOCH, Remedy.NEW_FETCH_SESSION),
        (ErrorCode.REBOOTSTRAP_REQUIRED, Remedy.REBOOTSTRAP),
        (ErrorCode.TOPIC_AUTHORIZATION_FAILED, Remedy.GIVE_UP),
        (ErrorCode.MESSAGE_TOO_LARGE, Remedy.GIVE_UP),
        (9999, Remedy.GIVE_UP),
    ],
)
def test_each_error_has_its_remedy(code: int, remedy: Remedy) -> None:
    assert remedy_of(code) is remedy


def test_an_error_of_a_later_protocol_is_no_bug_of_ours() -> None:
    assert known_error(9999) is ErrorCode.UNKNOWN_SERVER_ERROR
    assert known_error(3) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
