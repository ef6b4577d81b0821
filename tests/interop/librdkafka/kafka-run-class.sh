#!/bin/sh
# Runs the suite's Java clients with Apache Kafka's own; CLASSPATH says where they are compiled.
exec java -cp "$CLASSPATH:$OTTLA_KAFKA_JARS/*" "$@"
