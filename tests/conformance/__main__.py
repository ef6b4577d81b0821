"""Writes the page anew: `make conformance`."""

from __future__ import annotations

from tests.conformance.page import PAGE, page

PAGE.write_text(page())
