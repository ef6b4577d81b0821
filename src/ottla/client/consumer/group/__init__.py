"""A consumer as the member of a group: joining, giving partitions back, committing positions."""
