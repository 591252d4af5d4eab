"""Ids: 63-bit, time-ordered integers inside, opaque strings in the API.

Layout of an id, from the top: 1 zero bit, 41 bits of milliseconds since 2020-01-01 UTC, 22 bits of chance. Ordering by
id is ordering by creation time. Nobody guesses one (ADR 35): where snowflakes have a node and a sequence, which tell
from one id what others are, there are four million to try for every millisecond.
"""

import hashlib
import os
import secrets
import threading
import time
import uuid
from datetime import UTC, datetime
from functools import lru_cache

from photofeed.errors import NotFoundError

EPOCH_MS = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000)
_RANDOM_BITS = 22
_STEP_BITS = 10  # from one id to the next within a millisecond
_IMPORTED_REMEMBERED = 4096
_MAX_ID = 2**63 - 1
# ASCII order of the alphabet is the order of its digits, so encoded ids sort like the integers.
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGIT = {character: value for value, character in enumerate(_ALPHABET)}
_TWO_DIGITS = [first + second for first in _ALPHABET for second in _ALPHABET]  # a feed spells 60 ids
ENCODED_LENGTH = 11
_SPELLINGS_KEPT = 65_536


class IdGenerator:
    """Makes unique, time-ordered ids; safe to share between threads.

    Two generators meet once in four million times that they make an id in the same millisecond: what is stored under
    one refuses the other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._imported: dict[int, None] = {}

    def next(self) -> int:
        """A new id for now; greater than the one before it from this generator."""
        with self._lock:
            drawn = _draw(int(time.time() * 1000))
            if drawn >> _RANDOM_BITS <= self._last >> _RANDOM_BITS:  # the same millisecond, or the clock went back
                drawn = self._last + 1 + secrets.randbits(_STEP_BITS)
            self._last = drawn
            return drawn

    def at(self, moment: datetime) -> int:
        """A new id that sorts with things made at `moment`: for imported history.

        Of 4,096 in a row from one generator no two are equal, though they be of one millisecond.
        """
        ms = int(moment.timestamp() * 1000)
        with self._lock:
            drawn = _draw(ms)
            while drawn in self._imported:
                drawn = _draw(ms)
            self._imported[drawn] = None
            if len(self._imported) > _IMPORTED_REMEMBERED:
                del self._imported[next(iter(self._imported))]
            return drawn


def _draw(ms: int) -> int:
    return (ms - EPOCH_MS) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)


@lru_cache(maxsize=_SPELLINGS_KEPT)
def encode_id(value: int) -> str:
    """The API's spelling of an id: 11 characters that sort like the integers."""
    spelt = ""
    for _ in range(ENCODED_LENGTH // 2):
        value, two = divmod(value, len(_TWO_DIGITS))
        spelt = _TWO_DIGITS[two] + spelt
    return _ALPHABET[value % len(_ALPHABET)] + spelt


def decode_id(text: str) -> int:
    """The integer behind an API id.

    Raises:
        NotFoundError: `text` is not an id that this system could have given out.
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
    """A stable, positive 63-bit number for a topic's name, case-folded: the `topic` entity key."""
    digest = hashlib.blake2b(topic.strip().casefold().encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def uuid7() -> str:
    """A UUID version 7 (RFC 9562): milliseconds first, then random bits."""
    stamp = time.time_ns() // 1_000_000
    value = (stamp << 80) | (7 << 76) | (int.from_bytes(os.urandom(10)) & ((1 << 76) - 1))
    value = (value & ~(0b11 << 62)) | (0b10 << 62)
    return str(uuid.UUID(int=value))
