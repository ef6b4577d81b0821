"""Real Kafka clients behind one surface."""
