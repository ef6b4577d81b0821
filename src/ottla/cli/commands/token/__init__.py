"""Delegation tokens: secrets by which others act for a user."""
