"""Measure a cluster: how much it takes, how much it gives, how fast it answers."""
