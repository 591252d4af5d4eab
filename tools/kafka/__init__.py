"""Apache Kafka on this machine: three brokers with KRaft, SASL/SCRAM and TLS, for tests."""
