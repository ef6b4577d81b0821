"""Work with topics, on any cluster that speaks Kafka's protocol."""
