"""What past releases of Kafka speak, and a broker that is limited to it."""

from __future__ import annotations

import pytest

from ottla.base.errors import UserError
from ottla.testing.faults import api_names
from ottla.testing.kafka_releases import RELEASES, limits_of, setting_of
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.versions import VersionRange


def test_no_release_takes_back_what_the_one_before_had() -> None:
    for older, newer in zip(RELEASES, list(RELEASES)[1:], strict=False):
        for name, version in RELEASES[older].items():
            assert RELEASES[newer][name] >= version, (name, older, newer)


def test_every_api_that_we_declare_is_limited() -> None:
    limits = limits_of("2.1")
    assert limits.keys() == api_names().keys()
    assert limits["Fetch"] == VersionRange(0, 10)
    assert not limits["ConsumerGroupHeartbeat"]
    for release in RELEASES:
        assert limits_of(release)["Fetch"].max <= FetchRequest.VERSIONS.max


def test_single_apis_leave_all_others_as_they_are() -> None:
    assert setting_of({"Fetch": (4, 10), "Produce": (3, 3)}) == "Fetch:4-10,Produce:3"


@pytest.mark.parametrize("wanted", ["2.0", {"Fetch": (5, 4)}, {"Fetch": (-1, 4)}])
def test_what_is_no_release_is_told(wanted: str | dict[str, tuple[int, int]]) -> None:
    with pytest.raises(UserError, match=r"2\.0|no versions"):
        limits_of(wanted)
