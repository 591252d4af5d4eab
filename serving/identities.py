"""Who the caller of a valid token is here: subjects of the identity provider are mapped to users."""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.database import AsyncDatabase
from photofeed.erasures import identity_digest
from photofeed.errors import ForbiddenError, UnauthenticatedError
from photofeed.handles import is_reserved
from photofeed.ids import IdGenerator
from photofeed.tokens import SERVICE, Caller, VerifiedToken
from serving.reads import Reads, Statement

_FIND = Statement.of("select user_id from identities where issuer = %(issuer)s and subject = %(subject)s")
_ERASED = Statement.of("select user_id from erasures where user_id = %(user)s")
_TOMBSTONE = Statement.of("select user_id from erased_identities where digest = %(digest)s")
# Concurrent first calls of one person wait for each other.
_LOCK = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"
_ADD_USER = """
insert into users (id, handle, display_name, created_at) values (%s, %s, %s, %s)
on conflict (handle) do nothing returning id
"""
_ADD_IDENTITY = "insert into identities (issuer, subject, user_id) values (%s, %s, %s)"
_NOT_IN_HANDLES = re.compile(r"[^a-z0-9_.]+")
_LONGEST_HANDLE, _SHORTEST_HANDLE, _LONGEST_NAME = 30, 2, 80
_SUFFIX_BYTES = 4


@dataclass(frozen=True, slots=True)
class Identities:
    """Maps subjects to users. `provision`: whether a subject that is not known yet becomes a new user."""

    database: AsyncDatabase
    reads: Reads
    ids: IdGenerator
    provision: bool

    async def caller(self, token: VerifiedToken) -> Caller:
        """The caller of a valid token; a service has the user id 0.

        Raises:
            UnauthenticatedError: the account was deleted.
            ForbiddenError: the person has no account, and accounts are not added at the first login.
        """
        if SERVICE in token.scopes:
            return Caller(token.user_id or 0, token.scopes)
        if token.user_id is not None:
            await self._refuse_erased(token)
            return Caller(token.user_id, token.scopes)
        found = await self._find(token)  # a mapping is removed with its account
        return Caller(await self._first_call(token) if found is None else found, token.scopes)

    async def erased(self, token: VerifiedToken) -> int | None:
        """The user of a token whose account was deleted; None for any other token."""
        if token.user_id is not None:
            rows = await self.reads.rows(_ERASED, user=token.user_id)
        else:
            rows = await self.reads.rows(_TOMBSTONE, digest=identity_digest(token.issuer, token.subject))
        return rows[0][0] if rows else None

    async def _refuse_erased(self, token: VerifiedToken) -> None:
        if await self.erased(token) is not None:
            raise UnauthenticatedError("This account was deleted.", code="account_deleted")

    async def _find(self, token: VerifiedToken) -> int | None:
        rows = await self.reads.rows(_FIND, issuer=token.issuer, subject=token.subject)
        return rows[0][0] if rows else None

    async def _first_call(self, token: VerifiedToken) -> int:
        """The user of a subject that was not known a moment ago."""
        async with self.database.connection() as connection:
            await connection.execute(_LOCK, (f"{token.issuer}\n{token.subject}",))
            found = await self._find(token)
            if found is not None:
                return found
            await self._refuse_erased(token)
            if not self.provision:
                raise ForbiddenError("You have no account here.")
            return await self._add(connection, token)

    async def _add(self, connection: AsyncConnection[DictRow], token: VerifiedToken) -> int:
        user_id = self.ids.next()
        wanted = _handle(token.handle)
        name = "".join(letter for letter in token.display_name if letter.isprintable()).strip()
        for handle in (wanted, _with_suffix(wanted)):
            row = (user_id, handle, name[:_LONGEST_NAME] or handle, datetime.now(UTC))
            if (await connection.execute(_ADD_USER, row)).rowcount:
                break
        else:
            raise ForbiddenError("No free name was found for your account. Please try again.")
        await connection.execute(_ADD_IDENTITY, (token.issuer, token.subject, user_id))
        return user_id


def _handle(suggested: str) -> str:
    """A handle like the suggested one: without the domain of an address, and of allowed characters only."""
    plain = _NOT_IN_HANDLES.sub("_", suggested.partition("@")[0].casefold()).strip("_.")[:_LONGEST_HANDLE]
    if len(plain) < _SHORTEST_HANDLE:
        return _with_suffix("user")
    return _with_suffix(plain.replace(".", "_")) if is_reserved(plain) else plain


def _with_suffix(handle: str) -> str:
    suffix = f"_{secrets.token_hex(_SUFFIX_BYTES)}"
    return handle[: _LONGEST_HANDLE - len(suffix)] + suffix
