"""Memory that was freed goes back to the system, so that a process holds what it needs and not what it once needed."""

from ctypes import CDLL

# glibc's own first threshold; left alone it grows with the blocks that are freed, up to 32 MB.
MMAP_THRESHOLD_BYTES = 2**17
_M_MMAP_THRESHOLD = -3


def return_freed_memory() -> None:
    """Map every block from `MMAP_THRESHOLD_BYTES` on apart, from now on; does nothing where there is no glibc."""
    libc = CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
