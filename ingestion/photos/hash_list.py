"""Lists of known illegal material. photofeed has the interface and an example, and no list.

Organisations such as NCMEC and the IWF give lists of hashes to operators. Write an adapter for yours: a `HashList` that
`PHOTOFEED_HASH_LIST=module:callable` names. A photo that matches is rejected before a model sees it.
"""

import hashlib
from pathlib import Path
from typing import Protocol, runtime_checkable

from ingestion.photos.moderation import Moderation
from ingestion.photos.process import ProcessedPhoto
from photofeed.errors import InvalidError
from photofeed.plugins import load_plugin
from photofeed.settings import Settings

# Copies that were resized or compressed again differ in a few of the 64 bits; different pictures in about 32.
_MOST_BITS = 4
_SHA256_DIGITS, _PERCEPTUAL_DIGITS = 64, 16
_CERTAIN = 1.0


@runtime_checkable
class HashList(Protocol):
    """Knows pictures that must not be shown."""

    @property
    def version(self) -> str:
        """The name and version of the list, which every match is recorded with."""

    def match(self, original: bytes, photo: ProcessedPhoto) -> str | None:
        """The entry that a photo matches, by its uploaded file or by its picture; None for any other photo.

        An exception of the kind RetryableError is retried: use it for a service that does not answer.
        """


class NoHashes:
    """The empty list."""

    version = "none"

    def match(self, original: bytes, photo: ProcessedPhoto) -> str | None:  # noqa: ARG002  the interface
        """No photo matches."""
        return None


class HashFile:
    """A file with a hash in hexadecimal on each line: SHA-256 of an uploaded file, or the perceptual hash of a picture.

    Perceptual hashes are those of `perceptual_hash.py`. They match if at most 4 of their 64 bits differ. Empty lines,
    and those that start with #, are skipped.
    """

    def __init__(self, file: Path) -> None:
        """Read `file`.

        Raises:
            InvalidError: a line is no hash.
            OSError: the file cannot be read.
        """
        data = file.read_bytes()
        lines = [line.strip() for line in data.decode("ascii", "replace").splitlines()]
        hashes = [line.lower() for line in lines if line and not line.startswith("#")]
        for line in hashes:
            if len(line) not in (_SHA256_DIGITS, _PERCEPTUAL_DIGITS) or set(line) - set("0123456789abcdef"):
                raise InvalidError(f"{file}: not a SHA-256 or a perceptual hash: {line[:80]}")
        self._files = frozenset(line for line in hashes if len(line) == _SHA256_DIGITS)
        self._pictures = tuple(int(line, 16) for line in hashes if len(line) == _PERCEPTUAL_DIGITS)
        self.version = f"{file.name} {hashlib.sha256(data).hexdigest()[:12]}"

    def match(self, original: bytes, photo: ProcessedPhoto) -> str | None:
        """The hash on the list that the photo has, or almost has."""
        digest = hashlib.sha256(original).hexdigest()
        if digest in self._files:
            return digest
        found = photo.perceptual_hash & (2**64 - 1)
        near = (listed for listed in self._pictures if (listed ^ found).bit_count() <= _MOST_BITS)
        return next((f"{listed:016x}" for listed in near), None)


def hash_list_of(settings: Settings) -> HashList:
    """The list that the settings name.

    Raises:
        InvalidError: the setting names no list.
    """
    if not settings.hash_list:
        return NoHashes()
    made = load_plugin("PHOTOFEED_HASH_LIST", settings.hash_list)()
    if not isinstance(made, HashList):
        raise InvalidError(f"PHOTOFEED_HASH_LIST={settings.hash_list}: not a HashList")
    return made


def known(original: bytes, photo: ProcessedPhoto, hashes: HashList) -> Moderation | None:
    """The rejection of a photo that is on the list; None for any other photo."""
    entry = hashes.match(original, photo)
    return None if entry is None else Moderation("rejected", _CERTAIN, hashes.version, f"listed: {entry}")
