"""HTTP: one module a domain."""
