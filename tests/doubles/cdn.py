"""A CDN that remembers what it was asked to purge."""


class RecordingCdn:
    """Keeps the photos and tags that were purged, in order."""

    def __init__(self) -> None:
        self.purged: list[int | str] = []

    def purge(self, photo_id: int) -> None:
        """Remember the photo."""
        self.purged.append(photo_id)

    def purge_tag(self, tag: str) -> None:
        """Remember the tag."""
        self.purged.append(tag)

    def copies(self, photo_id: int) -> list[str]:  # noqa: ARG002
        """None."""
        return []

    def close(self) -> None:
        """Nothing is open."""
