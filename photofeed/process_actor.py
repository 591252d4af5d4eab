"""Who runs this process, for records of what was done."""

import getpass
import socket


def actor() -> str:
    """The user and host of this process."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
