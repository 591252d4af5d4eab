"""The feed path: from a request to an ordered slate. `pipeline.py` lists the stages."""
