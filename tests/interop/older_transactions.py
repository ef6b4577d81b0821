"""Runs the command that follows in a cluster whose new features have transaction.version 1.

Before a producer of such a cluster writes, it asks its coordinator, and its epoch stays when a
transaction ends. It goes in front of the command: `older_transactions.py …/ottla broker …`.
"""

from __future__ import annotations

import sys

from ottla.cli.main import main
from ottla.metadata import features

if __name__ == "__main__":
    features.FINALIZED[features.TRANSACTION_VERSION] = 1
    del sys.argv[0]
    main()
