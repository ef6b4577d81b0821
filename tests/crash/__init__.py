"""Crash states of the storage engine, enumerated and checked."""
