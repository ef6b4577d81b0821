"""Compaction: of each key the latest value stays, with its offset (see `log/DESIGN.md`)."""
