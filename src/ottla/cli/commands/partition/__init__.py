"""Who leads partitions, and which brokers hold them."""
