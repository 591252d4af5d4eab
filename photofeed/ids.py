"""Ids: 63-bit, time-ordered integers inside, opaque strings in the API.

Layout of an id, from the top: 1 zero bit, 41 bits of milliseconds since 2020-01-01 UTC, 10 bits of node, 12 bits of
sequence (the snowflake layout). Ordering by id is ordering by creation time.
"""

import hashlib
import os
import secrets
import threading
import time
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count

from photofeed.errors import NotFoundError

EPOCH_MS = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000)
_NODE_BITS, _SEQUENCE_BITS = 10, 12
_MAX_ID = 2**63 - 1
# ASCII order of the alphabet is the order of its digits, so encoded ids sort like the integers.
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGIT = {character: value for value, character in enumerate(_ALPHABET)}
_TWO_DIGITS = [first + second for first in _ALPHABET for second in _ALPHABET]  # a feed spells 60 ids
ENCODED_LENGTH = 11
_SPELLINGS_KEPT = 65_536


class IdGenerator:
    """Makes unique, time-ordered ids; safe to share between threads.

    Args:
        node: 0..1023, distinct for each process that makes ids; drawn at random where nobody assigns one.
    """

    def __init__(self, node: int | None = None) -> None:
        self._node = (secrets.randbits(_NODE_BITS) if node is None else node) & ((1 << _NODE_BITS) - 1)
        self._lock = threading.Lock()
        self._last_ms = 0
        self._sequence = secrets.randbits(_SEQUENCE_BITS)
        self._imported = count(secrets.randbits(_SEQUENCE_BITS))

    def next(self) -> int:
        """A new id for now; never smaller than the one before it from this generator."""
        with self._lock:
            now_ms = max(int(time.time() * 1000), self._last_ms)
            self._sequence += 1
            if self._sequence >> _SEQUENCE_BITS:
                self._sequence = 0
                now_ms += now_ms == self._last_ms
            self._last_ms = now_ms
            return self._compose(now_ms, self._sequence)

    def at(self, moment: datetime) -> int:
        """A new id that sorts with things made at `moment`: for imported history.

        Of 4,096 in a row from one generator no two are equal, though they be of one millisecond.
        """
        return self._compose(int(moment.timestamp() * 1000), next(self._imported) & ((1 << _SEQUENCE_BITS) - 1))

    def _compose(self, ms: int, sequence: int) -> int:
        return (ms - EPOCH_MS) << (_NODE_BITS + _SEQUENCE_BITS) | self._node << _SEQUENCE_BITS | sequence


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
