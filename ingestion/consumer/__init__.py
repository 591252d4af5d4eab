"""The Kafka consumer loop and its dead letters."""
