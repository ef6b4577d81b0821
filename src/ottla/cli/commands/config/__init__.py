"""Settings of topics, brokers, groups and whatever else has any."""
