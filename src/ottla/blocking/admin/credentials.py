"""`admin.credentials` for plain calls."""

from __future__ import annotations

from ottla.blocking.client import Runner
from ottla.client.admin.credentials import Credentials as AsyncioCredentials
from ottla.client.admin.credentials import RemovePassword, ScramCredential, SetPassword
from ottla.client.admin.outcomes import Outcomes


class Credentials:
    """`admin.credentials`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioCredentials) -> None:
        self._run = run
        self._inner = inner

    def describe(
        self, *users: str, timeout_s: float | None = None
    ) -> Outcomes[str, tuple[ScramCredential, ...]]:
        """The passwords of these users, or of all who have any; by user."""
        return self._run(lambda: self._inner.describe(*users, timeout_s=timeout_s))

    def alter(
        self, *changes: SetPassword | RemovePassword, timeout_s: float | None = None
    ) -> Outcomes[str, None]:
        """Set and remove passwords; by user. All changes of one user happen, or none."""
        return self._run(lambda: self._inner.alter(*changes, timeout_s=timeout_s))
