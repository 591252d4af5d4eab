"""Sessions of the browser app: a random cookie, and a row that says who it stands for (ADR 52).

Only a digest of the cookie is stored. What a session is renewed with, the provider's refresh token or the token that it
was started from, is sealed with a key that only the cookie gives. Both are in the column `refresh_token`; only sessions
of a sign-in have a subject.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.rows import DictRow

from photofeed.database import AsyncDatabase
from photofeed.errors import UnauthenticatedError
from photofeed.ids import encode_id
from photofeed.settings import Settings
from photofeed.tokens import Caller, TokenVerifier, VerifiedToken
from serving.oidc import OidcProvider, SignIn
from serving.token_checks import verify

_SECRET_BYTES = 32
_NONCE_BYTES = 12
_EXPIRED_AT_ONCE = 100  # rows that a new session removes
_TOKEN_FRESH_SECONDS = 60  # until a session's token is checked again: its key may have been withdrawn
_ADD = """
insert into sessions (digest, user_id, scopes, fresh_until, ends_at, subject, refresh_token)
values (%(digest)s, %(user)s, %(scopes)s, %(fresh_until)s, %(ends_at)s, %(subject)s, %(refresh_token)s)
"""
_REMOVE_EXPIRED = """
delete from sessions where digest in (select digest from sessions where ends_at < %s order by ends_at limit %s)
"""
_FIND = "select * from sessions where digest = %s and ends_at > %s"
_LOCK = "select * from sessions where digest = %s and ends_at > %s for update"
_RENEW = """
update sessions set fresh_until = %(fresh_until)s, scopes = %(scopes)s, refresh_token = %(refresh_token)s
where digest = %(digest)s
"""
_REMOVE = "delete from sessions where digest = %s"
_ENDED = "Your session has ended. Please sign in again."


@dataclass(frozen=True, slots=True)
class Sessions:
    """Starts, reads and ends sessions. `clock`: seconds since 1970."""

    settings: Settings
    database: AsyncDatabase
    provider: OidcProvider | None
    verifier: TokenVerifier
    clock: Callable[[], float] = time.time

    async def start_from_token(self, caller: Caller, token: str) -> tuple[str, datetime]:
        """A new session of a token's caller: what its cookie holds, and when it ends, at the latest with the token.

        Raises:
            UnauthenticatedError: the token is not valid.
            RetryableError: the provider's keys are needed, and it does not answer.
        """
        secret, ends_at = secrets.token_urlsafe(_SECRET_BYTES), self._longest()
        verified = await verify(self.verifier, token)
        ends_at = datetime.fromtimestamp(min(verified.expires_at, ends_at.timestamp()), UTC)
        fresh_until = self._fresh_until(_TOKEN_FRESH_SECONDS, ends_at)
        await self._add(secret, caller, ends_at, fresh_until=fresh_until, refresh_token=_seal(secret, token))
        return secret, ends_at

    async def start_from_sign_in(self, caller: Caller, sign_in: SignIn) -> tuple[str, datetime]:
        """A new session of who signed in at the provider: what its cookie holds, and when it ends."""
        secret, ends_at = secrets.token_urlsafe(_SECRET_BYTES), self._longest()
        renewal: dict[str, object] = {"subject": sign_in.token.subject if sign_in.token else ""}
        if sign_in.refresh_token:
            renewal["refresh_token"] = _seal(secret, sign_in.refresh_token)
            renewal["fresh_until"] = self._fresh_until(sign_in.fresh_seconds, ends_at)
        await self._add(secret, caller, ends_at, **renewal)
        return secret, ends_at

    async def _add(self, secret: str, caller: Caller, ends_at: datetime, **renewal: object) -> None:
        row = {"digest": _digest(secret), "user": caller.user_id, "scopes": sorted(caller.scopes), "ends_at": ends_at}
        never = {"fresh_until": ends_at, "subject": "", "refresh_token": None}
        async with self.database.connection() as connection:
            await connection.execute(_REMOVE_EXPIRED, (self._now(), _EXPIRED_AT_ONCE))
            await connection.execute(_ADD, row | never | renewal)

    async def read(self, secret: str) -> VerifiedToken:
        """Who a cookie stands for. When that is no longer fresh, the provider is asked, or the token checked again.

        Raises:
            UnauthenticatedError: there is no such session, or it has ended.
            RetryableError: the provider has to be asked, and does not answer.
        """
        now = self._now()
        async with self.database.connection() as connection:
            row = await (await connection.execute(_FIND, (_digest(secret), now))).fetchone()
        if row is None:
            raise UnauthenticatedError(_ENDED)
        if row["fresh_until"] <= now:
            row = await self._renew(secret)
        return VerifiedToken(
            issuer="",
            subject=encode_id(row["user_id"]),
            user_id=row["user_id"],
            scopes=frozenset(row["scopes"]),
            expires_at=min(row["fresh_until"], row["ends_at"]).timestamp(),
            handle="",
            display_name="",
        )

    async def end(self, secret: str) -> bool:
        """End a session; False if there was none."""
        async with self.database.connection() as connection:
            return (await connection.execute(_REMOVE, (_digest(secret),))).rowcount > 0

    async def _renew(self, secret: str) -> DictRow:
        """Ask whether the session may go on. Calls of one session wait: a refresh token may be used once."""
        try:
            async with self.database.connection() as connection:
                found = await connection.execute(_LOCK, (_digest(secret), self._now()))
                row = await found.fetchone()
                if row is None:
                    raise UnauthenticatedError(_ENDED)
                if row["fresh_until"] > self._now():
                    return row
                await self._ask_again(secret, row)
                await connection.execute(_RENEW, row)
                return row
        except UnauthenticatedError:
            await self.end(secret)
            raise UnauthenticatedError(_ENDED) from None

    async def _ask_again(self, secret: str, row: DictRow) -> None:
        """Ask the provider with the refresh token, or check the token; what comes of it is put into the row."""
        if row["refresh_token"] is None:
            raise UnauthenticatedError(_ENDED)
        token, seconds = _open(secret, row["refresh_token"]), _TOKEN_FRESH_SECONDS
        if not row["subject"]:
            await verify(self.verifier, token)
        elif self.provider is None:
            raise UnauthenticatedError(_ENDED)
        else:
            renewed = await self.provider.refresh(token, row["subject"])
            row["scopes"] = row["scopes"] if renewed.token is None else sorted(renewed.token.scopes)
            row["refresh_token"], seconds = _seal(secret, renewed.refresh_token), renewed.fresh_seconds
        row["fresh_until"] = self._fresh_until(seconds, row["ends_at"])

    def _longest(self) -> datetime:
        return self._now() + timedelta(hours=self.settings.session_hours)

    def _fresh_until(self, seconds: int, ends_at: datetime) -> datetime:
        return min(self._now() + timedelta(seconds=seconds), ends_at)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _cipher(secret: str) -> AESGCM:
    return AESGCM(blake2b(secret.encode(), digest_size=32, person=b"refresh token").digest())


def _seal(secret: str, text: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, text.encode(), None)


def _open(secret: str, sealed: bytes) -> str:
    return _cipher(secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode()
