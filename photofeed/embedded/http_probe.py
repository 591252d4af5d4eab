"""Health probe of HTTP servers."""

import http.client
from contextlib import closing
from urllib.parse import urlsplit

from photofeed.embedded.errors import NotReadyError

_TIMEOUT_SECONDS = 5
_MOST_SHOWN = 200


def get(url: str) -> bytes:
    """The body of a GET request with status 200.

    Raises:
        NotReadyError: the server does not answer, or answers with another status.
    """
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)) as connection:
        try:
            connection.request("GET", parts.path or "/")
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotReadyError(str(error)) from error
    if response.status != http.client.OK:
        shown = body[:_MOST_SHOWN].decode(errors="replace")
        raise NotReadyError(f"HTTP {response.status}{f': {shown}' if shown else ''}")
    return body
