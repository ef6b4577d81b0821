"""Kafka's own tools by their names, as kafka-topics.sh, without Java."""
