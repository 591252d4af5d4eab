"""Entity tags of conditional requests (RFC 9110, section 8.8.3)."""

import re

_TAG = re.compile(r'\s*(W/)?("[^"\x00-\x20\x7f]*")\s*')


def entity_tags(if_none_match: str) -> list[str]:
    """The opaque parts, with their quotes, of the tags of an `If-None-Match`; none if the header is malformed."""
    tags, position = [], 0
    while position < len(if_none_match):
        found = _TAG.match(if_none_match, position)
        if found is None:
            return []
        tags.append(found[2])
        position = found.end()
        if position < len(if_none_match):
            if if_none_match[position] != ",":
                return []
            position += 1
    return tags


def names_version(if_none_match: str, etag: str) -> bool:
    """Whether an `If-None-Match` names this version or any, by weak comparison."""
    return if_none_match.strip() == "*" or etag.removeprefix("W/") in entity_tags(if_none_match)
