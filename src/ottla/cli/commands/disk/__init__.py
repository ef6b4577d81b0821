"""Data directories of brokers, and what lies in them."""
