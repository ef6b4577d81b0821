"""`ottla token`: what is asked of the cluster, and how tokens are shown.

A broker gives tokens only to those whose name it knows, and no listener here knows any: what it
would answer is said by the tests.
"""

from __future__ import annotations

from typing import Any

import pytest

from ottla.client.admin.tokens import DelegationToken, Principal, Tokens
from tests.support.command_line import CommandLine

ALICE = Principal("User", "alice")
TOKEN = DelegationToken(
    token_id="id-1",
    hmac=b"secret",
    owner=ALICE,
    requester=None,
    issued_at_ms=1_000,
    expires_at_ms=2_000,
    expires_at_latest_ms=3_000,
    renewers=(Principal("User", "bob"),),
)
ROW = {
    "token_id": "id-1",
    "hmac": "c2VjcmV0",
    "owner": "User:alice",
    "requester": None,
    "renewers": ["User:bob"],
    "issued_at_ms": 1_000,
    "expires_at_ms": 2_000,
    "latest_expiry_at_ms": 3_000,
}

Calls = list[tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What was asked; the answers are `TOKEN` and its times."""
    seen: Calls = []

    def answering(answer: object) -> Any:
        async def method(_: Tokens, *positional: Any, **named: Any) -> object:
            seen.append((positional, named))
            return answer

        return method

    monkeypatch.setattr(Tokens, "create", answering(TOKEN))
    monkeypatch.setattr(Tokens, "renew", answering(2_500))
    monkeypatch.setattr(Tokens, "expire", answering(1_500))
    monkeypatch.setattr(Tokens, "describe", answering((TOKEN,)))
    return seen


def test_a_token_is_made_for_somebody_and_shown_with_its_secret(
    shared_line: CommandLine, calls: Calls
) -> None:
    arguments = ("--owner", "User:alice", "--renewer", "User:bob", "--max-lifetime", "1h")
    assert shared_line.rows("token", "create", *arguments) == [ROW]
    assert calls == [
        ((), {"owner": ALICE, "renewers": [Principal("User", "bob")], "max_lifetime_ms": 3_600_000})
    ]
    assert "c2VjcmV0" in shared_line.run("token", "create").stdout
    assert calls[1] == ((), {"owner": None, "renewers": [], "max_lifetime_ms": -1})


def test_a_token_is_renewed_and_ended_by_its_secret(shared_line: CommandLine, calls: Calls) -> None:
    assert shared_line.rows("token", "renew", "c2VjcmV0", "--for", "1d") == [
        {"expires_at_ms": 2_500}
    ]
    shared_line.run("token", "renew", "c2VjcmV0")
    assert shared_line.rows("token", "expire", "c2VjcmV0", "--in", "10m") == [
        {"expires_at_ms": 1_500}
    ]
    shared_line.run("token", "expire", "c2VjcmV0")
    assert [named["period_ms"] for _, named in calls] == [86_400_000, -1, 600_000, -1]
    assert {positional for positional, _ in calls} == {(b"secret",)}


def test_secrets_are_shown_only_to_who_asks_for_them(
    shared_line: CommandLine, calls: Calls
) -> None:
    without = {key: value for key, value in ROW.items() if key != "hmac"}
    assert shared_line.rows("token", "describe", "--owner", "User:alice") == [without]
    assert shared_line.rows("token", "describe", "--secrets") == [ROW]
    assert [positional for positional, _ in calls] == [([ALICE],), (None,)]
    assert "c2VjcmV0" not in shared_line.run("token", "describe").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--owner", "alice"],
        ["create", "--renewer", ":bob"],
        ["renew", "no base64!"],
        ["expire", "c2VjcmV0", "--in", "soon"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(shared_line: CommandLine, arguments: list[str]) -> None:
    assert "Error:" in shared_line.run("token", *arguments, code=2).stderr


def test_a_broker_that_does_not_know_us_is_told_of_with_a_reason(shared_line: CommandLine) -> None:
    told = shared_line.refusal("token", "describe")
    assert told.startswith("ottla: DELEGATION_TOKEN_")
    assert told.count("\n") == 2
