"""What log records hold: the metadata log's records, and control records."""
