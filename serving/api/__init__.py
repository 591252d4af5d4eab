"""HTTP: one module per domain."""
