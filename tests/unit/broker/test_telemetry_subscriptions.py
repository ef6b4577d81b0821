"""Which metrics are wanted of which client."""

from __future__ import annotations

from ottla.broker.telemetry_subscriptions import (
    Wanted,
    subscription_id,
    subscriptions_of,
    wanted_of,
)
from ottla.metadata.image import ConfigResource, MetadataImage, ResourceType

APP = {"client_id": "app-1", "client_software_name": "librdkafka"}


def wanted(client: dict[str, str], **subscriptions: dict[str, str]) -> Wanted:
    configs = {
        ConfigResource(ResourceType.CLIENT_METRICS, name): texts
        for name, texts in subscriptions.items()
    }
    image = MetadataImage(cluster_id="c", configs=configs)
    return wanted_of(client, subscriptions_of(image))


def test_without_subscriptions_nothing_is_wanted() -> None:
    assert wanted(APP) == Wanted((), 300_000)


def test_every_pattern_must_fit_the_whole() -> None:
    assert wanted(APP, a={"metrics": "a.", "match": "client_id=app"}).metrics == ()
    assert wanted(APP, a={"metrics": "a.", "match": "client_id=app-[0-9]"}).metrics == ("a.",)
    both = "client_id=app.*,client_software_name=apache-kafka-java"
    assert wanted(APP, a={"metrics": "a.", "match": both}).metrics == ()
    assert wanted({}, a={"metrics": "a.", "match": "client_id=.+"}).metrics == ()


def test_all_that_fit_are_taken_together_as_often_as_the_most_frequent() -> None:
    assert wanted(
        APP,
        a={"metrics": "b.,a.", "interval.ms": "5000"},
        b={"metrics": "b.,c.", "interval.ms": "1000"},
        c={"metrics": "d.", "interval.ms": "100", "match": "client_id=other"},
    ) == Wanted(("a.", "b.", "c."), 1000)


def test_all_metrics_are_asked_for_alone() -> None:
    assert wanted(APP, a={"metrics": "a."}, b={"metrics": "*"}).metrics == ("*",)


def test_settings_of_another_version_are_passed_over() -> None:
    texts = {"metrics": "a.", "interval.ms": "never", "match": "moon=full"}
    assert wanted(APP, a=texts) == Wanted(("a.",), 300_000)


def test_an_id_tells_clients_and_what_they_are_asked_apart() -> None:
    one, two = b"1" * 16, b"2" * 16
    before, after = Wanted(("a.",), 1000), Wanted(("a.",), 2000)
    ids = {subscription_id(wanted, client) for wanted in (before, after) for client in (one, two)}
    assert len(ids) == 4
    assert all(-(2**31) <= each < 2**31 for each in ids)
    assert subscription_id(before, one) == subscription_id(Wanted(("a.",), 1000), one)
