"""Which metrics clients are asked to push (KIP-714)."""
