"""Memory that was freed goes back to the system, so that a process holds what it needs and not what it once needed.

By itself, glibc maps a block apart, which returns when it is freed, only if it is larger than any that was freed
before, up to 32 MB; the others leave holes. Where there is no glibc, both functions do nothing.
"""

from ctypes import CDLL

_LIBC = CDLL(None)
_M_MMAP_THRESHOLD = -3


def return_freed_memory() -> None:
    """Map every block of 128 KB and more apart, from now on."""
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_M_MMAP_THRESHOLD, 2**17)


def return_free_memory_now() -> None:
    """Return what is free at this moment, wherever it lies."""
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
