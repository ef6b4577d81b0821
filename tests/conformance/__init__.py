"""What of Apache Kafka is here: the page docs/conformance.md, made from the code and from Kafka."""
