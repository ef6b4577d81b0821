"""SCRAM credentials in the metadata log: each user has one for each mechanism (KIP-554)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import SCRAM_CREDENTIALS_CHANGED_PER_REQUEST_MAX
from ottla.metadata.decision import Decision
from ottla.metadata.image import MetadataImage
from ottla.security.scram import check_credential, check_user, keys_of, mechanism_of
from ottla.wire.messages.alter_user_scram_credentials import (
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from ottla.wire.payloads.metadata import RemoveUserScramCredentialRecord, UserScramCredentialRecord
from ottla.wire.schema import Payload


class CredentialResult(NamedTuple):
    """What became of one user."""

    user: str
    error_code: ErrorCode
    error_message: str | None = None


def scram_credentials(image: MetadataImage) -> dict[str, list[UserScramCredentialRecord]]:
    """All credentials, by user."""
    found: dict[str, list[UserScramCredentialRecord]] = {}
    for record in image.kept.values():
        if isinstance(record, UserScramCredentialRecord):
            found.setdefault(record.name, []).append(record)
    return found


def decide_alter_scram_credentials(
    image: MetadataImage,
    deletions: Sequence[ScramCredentialDeletion],
    upsertions: Sequence[ScramCredentialUpsertion],
) -> Decision[list[CredentialResult]]:
    """Change one credential of each user; who is named more than once is refused.

    Raises ProtocolError(POLICY_VIOLATION) for more changes than one batch should take.
    """
    _check_count(len(deletions) + len(upsertions))
    asked: list[ScramCredentialDeletion | ScramCredentialUpsertion] = [*deletions, *upsertions]
    times = Counter(each.name for each in asked)
    records: list[Payload] = []
    results: dict[str, CredentialResult] = {}
    for each in asked:
        try:
            _check_once(times[each.name])
            records.append(_record(image, each))
            results[each.name] = CredentialResult(each.name, ErrorCode.NONE)
        except ProtocolError as refused:
            results[each.name] = CredentialResult(each.name, refused.code, refused.message)
    return Decision(tuple(records), list(results.values()))


def _check_count(count: int) -> None:
    if count > SCRAM_CREDENTIALS_CHANGED_PER_REQUEST_MAX:
        raise ProtocolError(
            ErrorCode.POLICY_VIOLATION,
            f"{count} changes are too many: a request takes "
            f"{SCRAM_CREDENTIALS_CHANGED_PER_REQUEST_MAX}",
        )


def _check_once(times: int) -> None:
    if times > 1:
        raise ProtocolError(
            ErrorCode.DUPLICATE_RESOURCE, "a request changes one credential of a user, not several"
        )


def _record(
    image: MetadataImage, asked: ScramCredentialDeletion | ScramCredentialUpsertion
) -> Payload:
    check_user(asked.name)
    mechanism = mechanism_of(asked.mechanism)
    if isinstance(asked, ScramCredentialDeletion):
        if ("scram", asked.name, mechanism) not in image.kept:
            raise ProtocolError(
                ErrorCode.RESOURCE_NOT_FOUND, "the user has no credential of this mechanism"
            )
        return RemoveUserScramCredentialRecord(name=asked.name, mechanism=mechanism)
    check_credential(asked.iterations, asked.salt, asked.salted_password)
    keys = keys_of(mechanism, asked.salted_password)
    return UserScramCredentialRecord(
        name=asked.name,
        mechanism=mechanism,
        salt=asked.salt,
        stored_key=keys.stored,
        server_key=keys.server,
        iterations=asked.iterations,
    )
