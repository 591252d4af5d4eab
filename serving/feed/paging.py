"""Pages: which places of a slate the next page shows, so that no post is shown twice, and none lost in between."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from serving.feed.rerankers.author_spacing import MOST_IN_A_ROW, space_authors


@dataclass(frozen=True, slots=True)
class Progress:
    """How far somebody has come in a slate.

    Attributes:
        offset: the first place no page has looked at.
        shown: how many posts were shown.
        before: authors of the last of them, which the next page must not repeat too often.
        waiting: places before `offset` that could not be shown yet for their author's sake.
    """

    offset: int = 0
    shown: int = 0
    before: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()

    def window(self, limit: int, length: int) -> list[int]:
        """The places that a page of `limit` posts chooses from, of a slate of `length`: at least one new one."""
        new = max(limit - len(self.waiting), 1)
        return [*self.waiting, *range(self.offset, min(self.offset + new, length))]

    def is_over(self, authors: Sequence[int]) -> bool:
        """Whether no page can follow: what still waits would only stand third in a row."""
        waiting = [authors[place] for place in self.waiting]
        return self.offset >= len(authors) and not space_authors(waiting, self.before)


def turn_page(
    authors: Sequence[int], visible: Container[int], progress: Progress, limit: int
) -> tuple[list[int], Progress]:
    """The places to show, in order, and the progress after them.

    Args:
        authors: of every post of the slate.
        visible: places of the window that may be shown; the others are passed by.
        progress: before this page.
        limit: most posts of the page, at least 1.
    """
    window = progress.window(limit, len(authors))
    places = [place for place in window if place in visible]
    order = [places[row] for row in space_authors([authors[place] for place in places], progress.before)][:limit]
    before = (*progress.before, *(authors[place] for place in order))[-MOST_IN_A_ROW:]
    waiting = tuple(place for place in places if place not in order)
    offset = max([progress.offset, *(place + 1 for place in window)])
    return order, Progress(offset, progress.shown + len(order), before, waiting)
