"""The contract of the API: what its document promises to clients."""
