"""One small file for each invariant: `check(found)` raises AssertionError."""
