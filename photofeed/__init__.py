"""Code that ingestion, serving and training share: settings, events, features, stores, the embedded stack."""
