"""Requests about quotas, to compare two brokers by.

`WE_REFUSE` marks what Apache Kafka takes and this broker refuses, each with its reason.
"""

from __future__ import annotations

from typing import Final

from ottla.testing.direct_call import ask
from ottla.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntityData,
    EntryData,
    OpData,
)
from ottla.wire.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)

Parts = dict[str, str | None]
Case = tuple[Parts, list[tuple[str, float | None]]]
Filter = tuple[list[tuple[str, int, str | None]], bool]
Described = tuple[int, dict[tuple[tuple[str, str | None], ...], dict[str, float]] | None]

EXACT, DEFAULT, ANY = range(3)
USER, CLIENT, ADDRESS = "user", "client-id", "ip"
PRODUCED, FETCHED, TIME = "producer_byte_rate", "consumer_byte_rate", "request_percentage"
CHANGES, CONNECTIONS = "controller_mutation_rate", "connection_creation_rate"

ALTERED: Final[tuple[Case, ...]] = (
    ({USER: "alice"}, [(PRODUCED, 1000.0)]),
    ({USER: "alice"}, [(PRODUCED, 1000.0), (FETCHED, 2000.0)]),
    ({USER: "alice"}, [(PRODUCED, 1.5)]),
    ({USER: "alice"}, [(PRODUCED, 1000.0000001)]),
    ({USER: "alice"}, [(PRODUCED, 999.9999999)]),
    ({USER: "alice"}, [(PRODUCED, 0.0)]),
    ({USER: "alice"}, [(PRODUCED, -1.0)]),
    ({USER: "alice"}, [(PRODUCED, 1e19)]),
    ({USER: "alice"}, [(PRODUCED, float("inf"))]),
    ({USER: "alice"}, [(FETCHED, 9.2e18)]),
    ({USER: "alice"}, [(FETCHED, 2.0**63)]),
    ({USER: "alice"}, [(PRODUCED, 5.0), (PRODUCED, 6.0)]),
    ({USER: "alice"}, [("nosuch", 1.0)]),
    ({USER: "alice"}, [("nosuch", None)]),
    ({USER: "alice"}, [(CONNECTIONS, 1.0)]),
    ({USER: "alice"}, [(TIME, 12.5), (CHANGES, 0.25)]),
    ({USER: "alice"}, []),
    ({USER: "alice", CLIENT: None}, [(TIME, 200.0)]),
    ({USER: "alice", CLIENT: "app"}, [(PRODUCED, 7.0), ("nosuch", 1.0)]),
    ({USER: None, CLIENT: "app"}, [(PRODUCED, 8.0)]),
    ({USER: None, CLIENT: None}, [(PRODUCED, 9.0)]),
    ({USER: None}, [(PRODUCED, 10.0)]),
    ({CLIENT: "app"}, [(FETCHED, 11.0)]),
    ({CLIENT: None}, [(FETCHED, 12.0)]),
    ({ADDRESS: "10.0.0.7"}, [(CONNECTIONS, 5.0)]),
    ({ADDRESS: "::1"}, [(CONNECTIONS, 5.0)]),
    ({ADDRESS: None}, [(CONNECTIONS, 6.0)]),
    ({ADDRESS: "10.0.0.7"}, [(PRODUCED, 5.0)]),
    ({ADDRESS: "10.0.0.8"}, [(CONNECTIONS, 2.0**31)]),
    ({ADDRESS: "10.0.0.8"}, [(CONNECTIONS, 2.5)]),
    ({ADDRESS: "no such host."}, [(CONNECTIONS, 2.0)]),
    ({ADDRESS: "10.0.0.7", USER: "alice"}, [(CONNECTIONS, 5.0)]),
    ({}, [(PRODUCED, 5.0)]),
    ({"group": "g"}, [(PRODUCED, 5.0)]),
    ({USER: ""}, [(PRODUCED, 5.0)]),
    ({CLIENT: ""}, [(PRODUCED, 5.0)]),
    ({ADDRESS: ""}, [(CONNECTIONS, 5.0)]),
    ({CLIENT: "app"}, [(FETCHED, None)]),
    ({CLIENT: "app"}, [(FETCHED, None)]),
    ({CLIENT: "back"}, [(PRODUCED, 1.0)]),
    ({CLIENT: "back"}, [(PRODUCED, None), (FETCHED, 3.0)]),
    ({USER: "a, b/c"}, [(PRODUCED, 77.0)]),
)

WE_REFUSE: Final[tuple[tuple[Case, str], ...]] = (
    (
        ({ADDRESS: "localhost"}, [(CONNECTIONS, 5.0)]),
        "names are not looked up here",
    ),
    (({USER: "alice"}, [(TIME, float("nan"))]), "no rate is within a quota that is no number"),
)

DESCRIBED: Final[tuple[Filter, ...]] = (
    ([], False),
    ([], True),
    ([(USER, EXACT, "alice")], False),
    ([(USER, EXACT, "alice")], True),
    ([(USER, DEFAULT, None)], False),
    ([(USER, DEFAULT, None)], True),
    ([(USER, ANY, None)], False),
    ([(USER, ANY, None)], True),
    ([(USER, EXACT, "alice"), (CLIENT, EXACT, "app")], True),
    ([(USER, EXACT, "alice"), (CLIENT, DEFAULT, None)], True),
    ([(USER, ANY, None), (CLIENT, ANY, None)], True),
    ([(CLIENT, ANY, None)], False),
    ([(CLIENT, ANY, None)], True),
    ([(CLIENT, EXACT, "app")], False),
    ([(CLIENT, EXACT, "nobody")], False),
    ([(ADDRESS, ANY, None)], False),
    ([(ADDRESS, EXACT, "10.0.0.7")], True),
    ([(ADDRESS, DEFAULT, None)], True),
    ([(ADDRESS, ANY, None), (USER, ANY, None)], False),
    ([(USER, ANY, None), (USER, EXACT, "alice")], False),
    ([("", ANY, None)], False),
    ([("group", ANY, None)], False),
    ([(USER, EXACT, None)], False),
    ([(USER, DEFAULT, "alice")], False),
    ([(USER, ANY, "alice")], False),
    ([(USER, 3, None)], False),
)


class Asked:
    """One broker, and its answers as they are compared: codes and quotas, without messages."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._address = (host, int(port))

    def alter(self, *cases: Case, validate_only: bool = False) -> dict[object, int]:
        """The code of each entity."""
        request = AlterClientQuotasRequest(
            entries=[
                EntryData(
                    entity=[EntityData(entity_type=k, entity_name=n) for k, n in parts.items()],
                    ops=[
                        OpData(key=key, value=value or 0.0, remove=value is None)
                        for key, value in changes
                    ],
                )
                for parts, changes in cases
            ],
            validate_only=validate_only,
        )
        response = ask(self._address, request, AlterClientQuotasResponse)
        return {
            tuple(sorted((part.entity_type, part.entity_name) for part in entry.entity)): (
                entry.error_code
            )
            for entry in response.entries
        }

    def describe(self, wanted: Filter) -> Described:
        """The code, and the quotas of each entity."""
        components, strict = wanted
        request = DescribeClientQuotasRequest(
            components=[
                ComponentData(entity_type=kind, match_type=match_type, match=name)
                for kind, match_type, name in components
            ],
            strict=strict,
        )
        response = ask(self._address, request, DescribeClientQuotasResponse)
        if response.entries is None:
            return response.error_code, None
        return response.error_code, {
            tuple(sorted((part.entity_type, part.entity_name) for part in entry.entity)): {
                value.key: value.value for value in entry.values
            }
            for entry in response.entries
        }
