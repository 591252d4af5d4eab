"""Boxes of ISO base media files (HEIC, HEIF, AVIF), read only as far as finding a cut file needs."""


def is_truncated(data: bytes) -> bool:
    """Whether a HEIF or AVIF file ends before its boxes do.

    Decoders fill what is missing with grey and report success, so this is asked before decoding. Bytes after the
    last box that are no box themselves are allowed: phones append their own trailers.
    """
    found: set[bytes] = set()
    at = 0
    while at + 8 <= len(data):
        kind = data[at + 4 : at + 8]
        if not kind.isascii() or not kind.decode("ascii").isprintable():
            break
        size = int.from_bytes(data[at : at + 4], "big")
        header = 8
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:  # "to the end of the file"
            size = len(data) - at
        if size < header:
            break
        if at + size > len(data):
            return True
        found.add(kind)
        at += size
    if b"meta" not in found and b"moov" not in found:
        return True
    # The pixels are in mdat, or, for very small pictures, in an idat box within meta.
    return b"mdat" not in found and b"idat" not in data
