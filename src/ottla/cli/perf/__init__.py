"""Measuring a cluster from the command line."""
