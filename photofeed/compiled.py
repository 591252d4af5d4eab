"""Loops that numba compiles. The online store defines how, because it installs without the rest of photofeed."""

from photofeed.online_store.compiled import compiled

__all__ = ["compiled"]
