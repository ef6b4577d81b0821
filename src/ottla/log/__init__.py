"""The storage core: partitions as segments of record batches, in Kafka's own files."""
