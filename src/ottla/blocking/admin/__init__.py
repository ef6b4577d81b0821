"""Administration for plain calls: one module for each subject, as in `ottla.client.admin`."""

from __future__ import annotations

from ottla.blocking.admin.admin import Admin

__all__ = ["Admin"]
