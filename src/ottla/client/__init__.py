"""Kafka clients: what the platform's own parts and the command line use to reach any broker."""
