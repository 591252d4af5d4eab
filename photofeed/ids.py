"""Ids: 63-bit, time-ordered integers internally, opaque strings in the API.

Layout of an id, from the highest bit: 1 zero bit, 41 bits of milliseconds since 2020-01-01 UTC, 22 random bits. Order
by id is order by creation time. Ids cannot be guessed (ADR 35): snowflake ids have a node and a sequence number, from
which other ids follow; here there are four million ids to try for every millisecond.

Ids of the first day of 2020 are of what is older: their milliseconds are all of 1970 to 2020, on a smaller scale.
"""

import hashlib
import secrets
import threading
import time
from datetime import UTC, datetime
from functools import lru_cache

import uuid6

from photofeed.errors import NotFoundError

EPOCH_MS = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000)
RANDOM_BITS = 22  # lowest bits of an id, below the milliseconds
EARLY_MS = 86_400_000  # milliseconds after the epoch whose ids are of the time until then
_STEP_BITS = 10  # size of the random step to the next id of the same millisecond
_IMPORTED_REMEMBERED = 4096
_MAX_ID = 2**63 - 1
# The digits are in ASCII order, so encoded ids sort like the integers.
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGIT = {character: value for value, character in enumerate(_ALPHABET)}
_TWO_DIGITS = [first + second for first in _ALPHABET for second in _ALPHABET]  # a feed encodes 60 ids
ENCODED_LENGTH = 11
_ENCODINGS_CACHED = 65_536


class IdGenerator:
    """Makes unique, time-ordered ids; safe to share between threads.

    Two generators that make an id in the same millisecond collide once in four million times; the primary key of what
    is stored refuses the second one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._imported: dict[int, None] = {}

    def next(self) -> int:
        """A new id for now; greater than the previous one of this generator."""
        with self._lock:
            drawn = _draw(int(time.time() * 1000))
            if drawn >> RANDOM_BITS <= self._last >> RANDOM_BITS:  # the same millisecond, or the clock was set back
                drawn = self._last + 1 + secrets.randbits(_STEP_BITS)
            self._last = drawn
            return drawn

    def at(self, moment: datetime) -> int:
        """A new id that sorts by the time `moment`, for imported history.

        Any 4,096 consecutive ids of one generator are distinct, even for the same millisecond.
        """
        ms = int(moment.timestamp() * 1000)
        if ms < EPOCH_MS + EARLY_MS:
            ms = EPOCH_MS + max(ms, 0) * EARLY_MS // (EPOCH_MS + EARLY_MS)
        with self._lock:
            drawn = _draw(ms)
            while drawn in self._imported:
                drawn = _draw(ms)
            self._imported[drawn] = None
            if len(self._imported) > _IMPORTED_REMEMBERED:
                del self._imported[next(iter(self._imported))]
            return drawn


def _draw(ms: int) -> int:
    return (ms - EPOCH_MS) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)


@lru_cache(maxsize=_ENCODINGS_CACHED)
def encode_id(value: int) -> str:
    """The API's form of an id: 11 characters that sort like the integers."""
    text = ""
    for _ in range(ENCODED_LENGTH // 2):
        value, pair = divmod(value, len(_TWO_DIGITS))
        text = _TWO_DIGITS[pair] + text
    return _ALPHABET[value % len(_ALPHABET)] + text


def decode_id(text: str) -> int:
    """The integer of an API id.

    Raises:
        NotFoundError: `text` is not an id that `encode_id` could have made.
    """
    value = 0
    if len(text) == ENCODED_LENGTH:
        for character in text:
            digit = _DIGIT.get(character)
            if digit is None:
                break
            value = value * 62 + digit
        else:
            if value <= _MAX_ID:
                return value
    raise NotFoundError(f"There is nothing with the id {text[:40]!r}.")


def topic_id(topic: str) -> int:
    """The `topic` entity key: a stable 63-bit hash of a topic's name, ignoring case and surrounding spaces."""
    digest = hashlib.blake2b(topic.strip().casefold().encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def uuid7() -> str:
    """A UUID version 7 (RFC 9562) as text. It starts with the time in milliseconds, so ids sort by time."""
    return str(uuid6.uuid7())
