"""Transactions: open ones, and those that hang."""
