"""Transactions by transactional id: who may write, what belongs together, how it ended. Pure."""
