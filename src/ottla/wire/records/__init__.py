"""Record batches (format v2): headers, records, control records, codecs, checksums."""
