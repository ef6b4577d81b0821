"""Apache Kafka's own command line tools by their names, on Ottla's clients.

A module is a tool: `kafka_topics.py` is `kafka-topics.sh`, and has `main(arguments) -> int`.
"""
