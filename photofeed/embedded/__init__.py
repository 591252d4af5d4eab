"""The embedded stack: real servers that pip installs, for one machine."""
