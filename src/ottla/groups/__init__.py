"""Groups and the offsets they commit: a pure core, one shard for each partition of its topic."""
