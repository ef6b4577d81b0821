"""Move in from Apache Kafka."""
