"""ACLs in the metadata log: made one by one, gone by filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import ACLS_CHANGED_PER_REQUEST_MAX, ACLS_COMPARED_PER_REQUEST_MAX
from ottla.base.world import Rng
from ottla.metadata.decision import Decision
from ottla.metadata.image import MetadataImage
from ottla.security.acl import Acl, AclFilter, check_acl
from ottla.wire.payloads.metadata import AccessControlEntryRecord, RemoveAccessControlEntryRecord
from ottla.wire.schema import Payload


class AclCreated(NamedTuple):
    """What became of one entry."""

    error_code: ErrorCode
    error_message: str | None = None


def acls(image: MetadataImage) -> dict[bytes, Acl]:
    """All entries, by their ids."""
    return {
        record.id: _acl_of(record)
        for record in image.kept.values()
        if isinstance(record, AccessControlEntryRecord)
    }


def decide_create_acls(
    image: MetadataImage, wanted: Sequence[Acl], *, rng: Rng
) -> Decision[list[AclCreated]]:
    """Make each entry by itself; one that is there already is made again without a trace."""
    _check_count(len(wanted))
    present = set(acls(image).values())
    records: list[Payload] = []
    results = []
    for acl in wanted:
        try:
            check_acl(acl)
        except ProtocolError as refused:
            results.append(AclCreated(refused.code, refused.message))
            continue
        if acl not in present:
            present.add(acl)
            records.append(_record_of(acl, rng.uuid()))
        results.append(AclCreated(ErrorCode.NONE))
    return Decision(tuple(records), results)


def decide_delete_acls(
    image: MetadataImage, filters: Sequence[AclFilter]
) -> Decision[list[list[Acl]]]:
    """Remove what any filter matches; each is told all of its matches, whoever else has them.

    A filter with numbers that nobody here knows matches nothing, whatever a later Kafka wrote.
    """
    present = acls(image)
    _check_comparisons(len(filters), len(present))
    gone: dict[bytes, None] = {}
    matches = []
    for wanted in filters:
        found = matching(present, wanted) if wanted.is_known else {}
        gone.update(dict.fromkeys(found))
        matches.append(list(found.values()))
    _check_count(len(gone))
    records = tuple(RemoveAccessControlEntryRecord(id=acl_id) for acl_id in gone)
    return Decision(records, matches)


def matching(present: Mapping[bytes, Acl], wanted: AclFilter) -> dict[bytes, Acl]:
    """The entries that a filter means."""
    return {acl_id: acl for acl_id, acl in present.items() if wanted.matches(acl)}


def _check_count(count: int) -> None:
    """All changes of a request go into one batch: it must stay small."""
    if count > ACLS_CHANGED_PER_REQUEST_MAX:
        raise ProtocolError(
            ErrorCode.POLICY_VIOLATION,
            f"{count} entries are too many: a request changes {ACLS_CHANGED_PER_REQUEST_MAX}",
        )


def _check_comparisons(filters: int, entries: int) -> None:
    """Nobody else is served while each filter looks at each entry."""
    if filters * entries > ACLS_COMPARED_PER_REQUEST_MAX:
        raise ProtocolError(
            ErrorCode.POLICY_VIOLATION,
            f"{filters} filters are too many where there are {entries} entries: split the request",
        )


def _acl_of(record: AccessControlEntryRecord) -> Acl:
    return Acl(
        record.resource_type,
        record.resource_name,
        record.pattern_type,
        record.principal,
        record.host,
        record.operation,
        record.permission_type,
    )


def _record_of(acl: Acl, acl_id: bytes) -> AccessControlEntryRecord:
    return AccessControlEntryRecord(
        id=acl_id,
        resource_type=acl.resource_type,
        resource_name=acl.resource_name,
        pattern_type=acl.pattern_type,
        principal=acl.principal,
        host=acl.host,
        operation=acl.operation,
        permission_type=acl.permission,
    )
