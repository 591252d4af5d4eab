"""Sessions of the browser app: a random cookie, and a row that says who it stands for (ADR 52).

Only a digest of the cookie is stored. The provider's refresh token is sealed with a key that only the cookie gives.
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
from photofeed.tokens import Caller, VerifiedToken
from serving.oidc import OidcProvider, SignIn

_SECRET_BYTES = 32
_NONCE_BYTES = 12
_EXPIRED_AT_ONCE = 100  # rows that a new session removes
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
    clock: Callable[[], float] = time.time

    async def start(
        self, caller: Caller, *, until: float | None = None, sign_in: SignIn | None = None
    ) -> tuple[str, datetime]:
        """A new session: what its cookie holds, and when it ends.

        Args:
            caller: who it stands for.
            until: the end of the token that it comes from, in seconds since 1970.
            sign_in: the sign-in at the provider that it comes from.
        """
        secret, now = secrets.token_urlsafe(_SECRET_BYTES), self._now()
        ends_at = now + timedelta(hours=self.settings.session_hours)
        if until is not None:
            ends_at = min(ends_at, datetime.fromtimestamp(until, UTC))
        refresh_token = sign_in.refresh_token if sign_in else ""
        row = {
            "digest": _digest(secret),
            "user": caller.user_id,
            "scopes": sorted(caller.scopes),
            "fresh_until": self._fresh_until(sign_in, ends_at) if sign_in and refresh_token else ends_at,
            "ends_at": ends_at,
            "subject": sign_in.token.subject if sign_in and sign_in.token else "",
            "refresh_token": _seal(secret, refresh_token) if refresh_token else None,
        }
        async with self.database.connection() as connection:
            await connection.execute(_REMOVE_EXPIRED, (now, _EXPIRED_AT_ONCE))
            await connection.execute(_ADD, row)
        return secret, ends_at

    async def read(self, secret: str) -> VerifiedToken:
        """Who a cookie stands for. The provider is asked when its last answer is no longer fresh.

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
        """Ask the provider with the refresh token. Calls of one session wait: a refresh token may be used once."""
        try:
            async with self.database.connection() as connection:
                found = await connection.execute(_LOCK, (_digest(secret), self._now()))
                row = await found.fetchone()
                if row is None or self.provider is None:
                    raise UnauthenticatedError(_ENDED)
                if row["fresh_until"] > self._now():
                    return row
                token = _open(secret, row["refresh_token"])
                renewed = await self.provider.refresh(token, row["subject"])
                row["scopes"] = row["scopes"] if renewed.token is None else sorted(renewed.token.scopes)
                row["fresh_until"] = self._fresh_until(renewed, row["ends_at"])
                row["refresh_token"] = _seal(secret, renewed.refresh_token)
                await connection.execute(_RENEW, row)
                return row
        except UnauthenticatedError:
            await self.end(secret)
            raise UnauthenticatedError(_ENDED) from None

    def _fresh_until(self, sign_in: SignIn, ends_at: datetime) -> datetime:
        return min(self._now() + timedelta(seconds=sign_in.fresh_seconds), ends_at)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _cipher(secret: str) -> AESGCM:
    return AESGCM(blake2b(secret.encode(), digest_size=32, person=b"refresh token").digest())


def _seal(secret: str, refresh_token: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, refresh_token.encode(), None)


def _open(secret: str, sealed: bytes) -> str:
    return _cipher(secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode()
