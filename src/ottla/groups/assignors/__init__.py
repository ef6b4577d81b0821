"""Who shall have which partitions: pure functions, by the names that clients choose them with."""
