"""Kafka bytes to messages and back: schemas, codecs, headers, frames, record batches."""
