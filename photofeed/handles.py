"""Handles that nobody may take: words of the service, addresses of the app, and names that look like paths.

An account that has such a handle keeps it and stays reachable.
"""

import re

# The first part of an address of the browser app or of the server. A test compares them with the app's routes.
_ADDRESSES = """
activity api assets docs explore feed followers following healthz liked likes login logout metrics new
notifications openapi.json p photos photo readyz requests saved search settings sign_in signin sign_up signup
static tags upload v1 well_known
"""
# Who could be taken for the operator, and words that programs read as something else.
_ROLES = """
about abuse account accounts admin administrator all anonymous anyone contact deleted everyone false help here
hostmaster info legal me mod moderation moderator none null official owner photofeed postmaster press privacy
root safety security service staff support system team terms true undefined unknown user users webmaster www
you
"""
RESERVED = frozenset(f"{_ADDRESSES} {_ROLES}".split())
_LETTER_OR_DIGIT = re.compile(r"[a-z0-9]")


def is_reserved(handle: str) -> bool:
    """Whether nobody may take this handle: a reserved word, also between underscores, or dots like those of a path."""
    if handle.startswith(".") or handle.endswith(".") or ".." in handle:
        return True
    return not _LETTER_OR_DIGIT.search(handle) or handle.strip("_") in RESERVED
