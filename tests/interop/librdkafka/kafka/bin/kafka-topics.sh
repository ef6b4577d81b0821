#!/bin/sh
# Apache Kafka's own tool, for tests that create and delete topics from outside.
exec java -cp "$OTTLA_KAFKA_JARS/*" org.apache.kafka.tools.TopicCommand "$@"
