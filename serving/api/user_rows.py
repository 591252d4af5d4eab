"""Rows of users, as the caller may see them."""

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.errors import NotFoundError

USER = """
select id, handle, display_name, avatar_id, bio, is_private, follower_count, following_count, keep_places, created_at
from users
"""


async def find_user(connection: AsyncConnection[DictRow], user_id: int) -> DictRow:
    """A user's row.

    Raises:
        NotFoundError: there is no user with this id.
    """
    row = await (await connection.execute(f"{USER} where id = %s", (user_id,))).fetchone()
    if row is None:
        raise _no_user()
    return row


_BLOCKS = "select 1 from blocks where blocker_id = %s and blocked_id = %s"


async def find_user_for(connection: AsyncConnection[DictRow], viewer: int, user_id: int) -> DictRow:
    """A user's row, if the user has not blocked the viewer.

    Raises:
        NotFoundError: there is no user with this id, or they have blocked the viewer; the error does not reveal which.
    """
    row = await find_user(connection, user_id)
    if await (await connection.execute(_BLOCKS, (user_id, viewer))).fetchone() is not None:
        raise _no_user()
    return row


def _no_user() -> NotFoundError:
    return NotFoundError("There is no user with this id.", code="user_not_found")


async def require_actor(connection: AsyncConnection[DictRow], actor: int) -> None:
    """Check that the caller of a write has an account; it may be new at the identity provider, or deleted.

    Raises:
        NotFoundError: it has none.
    """
    if await (await connection.execute("select from users where id = %s", (actor,))).fetchone() is None:
        raise NotFoundError("There is no user with the actor's id.", code="actor_not_found")
