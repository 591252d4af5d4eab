"""The feed path: from who asks to an ordered slate. `pipeline.py` lists the stages."""
