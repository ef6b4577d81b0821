"""`admin.acls` for plain calls."""

from __future__ import annotations

from ottla.blocking.client import Runner
from ottla.client.admin.acls import EVERY_ACL, AclBinding, AclFilter
from ottla.client.admin.acls import Acls as AsyncioAcls
from ottla.client.admin.outcomes import Outcomes


class Acls:
    """`admin.acls`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioAcls) -> None:
        self._run = run
        self._inner = inner

    def describe(
        self, which: AclFilter = EVERY_ACL, *, timeout_s: float | None = None
    ) -> tuple[AclBinding, ...]:
        """All entries that match, in order."""
        return self._run(lambda: self._inner.describe(which, timeout_s=timeout_s))

    def create(
        self, *bindings: AclBinding, timeout_s: float | None = None
    ) -> Outcomes[AclBinding, None]:
        """Make entries; one that is there already is fine."""
        return self._run(lambda: self._inner.create(*bindings, timeout_s=timeout_s))

    def delete(
        self, *filters: AclFilter, timeout_s: float | None = None
    ) -> Outcomes[AclFilter, tuple[AclBinding, ...]]:
        """Remove what matches; by filter, the entries that are gone.

        A filter is refused where one of its entries could not be removed.
        """
        return self._run(lambda: self._inner.delete(*filters, timeout_s=timeout_s))
