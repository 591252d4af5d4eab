"""Deleted accounts, as the API and the workers share them: the request, tombstones of identities, and the filter."""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from photofeed.database import Database
from photofeed.topics import DEAD_LETTER_RETENTION, LONGEST_SEGMENT, all_topics

ERASURES_CHANNEL = "erasures"
_HANDLE_BYTES = 8
EXTERNAL = "urn:photofeed:external"
"""Issuer of external ids of people, among the tombstones of identities."""

# How long a login of a deleted account is refused. Afterwards the person can sign up again, with a new account.
TOMBSTONE_FOR = timedelta(days=30)

# After this time Kafka has deleted every message about a person who was deleted, also dead letters of such messages.
LOG_FORGETS_AFTER = max(topic.retention for topic in all_topics()) + DEAD_LETTER_RETENTION + LONGEST_SEGMENT

# Executed in one transaction: from then on nobody sees the person's name and posts, and no login of theirs is accepted.
# The eraser (ingestion/erasure/) deletes the rest.
_REQUEST = (
    "insert into erasures (user_id) select id from users where id = %(user)s on conflict do nothing",
    """
    with former as (delete from identities where user_id = %(user)s returning issuer, subject)
    insert into erased_identities (digest, user_id)
    select sha256(convert_to(issuer || E'\\n' || subject, 'UTF8')), %(user)s from former
    on conflict (digest) do update set user_id = excluded.user_id, erased_at = excluded.erased_at
    """,
    f"""
    with former as (delete from external_ids where user_id = %(user)s returning external_id)
    insert into erased_identities (digest, user_id)
    select sha256(convert_to('{EXTERNAL}' || E'\\n' || external_id, 'UTF8')), %(user)s from former
    on conflict (digest) do update set user_id = excluded.user_id, erased_at = excluded.erased_at
    """,  # noqa: S608  a constant
    # items belong to the service that described them: they lose their creator, and stay
    "update posts set author_id = null where author_id = %(user)s and content_type = 'item'",
    """
    update users set handle = %(handle)s, display_name = 'Deleted account', bio = '', is_private = true,
        keep_places = false, avatar_id = null
    where id = %(user)s
    """,
    "delete from sessions where user_id = %(user)s",
    "update posts set visible = false where author_id = %(user)s and visible",
)
ErasedAmong = Callable[[Iterable[int]], frozenset[int]]
"""Which of the people have deleted their account. Workers drop late and replayed messages about them."""


def nobody(_: Iterable[int]) -> frozenset[int]:
    """The look-up where no account was ever deleted."""
    return frozenset()


_RECENT = "select user_id from erasures where user_id = any(%s)"


def request_statements(user_id: int) -> list[tuple[bytes, dict[str, Any]]]:
    """The statements and parameters that delete an account, for one transaction. They may be repeated."""
    parameters = {"user": user_id, "handle": f"deleted_{secrets.token_hex(_HANDLE_BYTES)}"}
    return [(statement.encode(), parameters) for statement in _REQUEST]


def identity_digest(issuer: str, subject: str) -> bytes:
    """What a tombstone keeps of an identity; `_REQUEST` computes the same."""
    return hashlib.sha256(f"{issuer}\n{subject}".encode()).digest()


def erased_among(database: Database) -> ErasedAmong:
    """The look-up in PostgreSQL."""

    def look_up(people: Iterable[int]) -> frozenset[int]:
        wanted = list(set(people))
        if not wanted:
            return frozenset()
        with database.connection() as connection:
            return frozenset(row["user_id"] for row in connection.execute(_RECENT, (wanted,)))

    return look_up
