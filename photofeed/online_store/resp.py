"""RESP, the wire protocol of Redis, for commands that are packed by the hundred."""


def bulk_string(value: bytes) -> bytes:
    """One argument of a command on the wire."""
    return b"$%d\r\n%b\r\n" % (len(value), value)
