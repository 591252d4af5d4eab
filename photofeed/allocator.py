"""Releases freed memory to the system, so that a process holds what it needs now and not its former maximum.

By default, glibc maps a block separately, and unmaps it when it is freed, only if the block is larger than any block
freed before, up to 32 MB; other blocks leave holes. Without glibc both functions do nothing.
"""

from ctypes import CDLL

_LIBC = CDLL(None)
_M_MMAP_THRESHOLD = -3


def release_on_free() -> None:
    """From now on, map every block of 128 KB or more separately, so that freeing it releases it."""
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_M_MMAP_THRESHOLD, 2**17)


def release_free_memory() -> None:
    """Release the memory that is free now, wherever it is."""
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
