"""The embedded stack: real servers, installed by pip, for one machine."""
