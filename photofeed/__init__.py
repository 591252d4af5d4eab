"""What two or more of ingestion, serving and training share: settings, events, features, stores, the embedded stack."""
