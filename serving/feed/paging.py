"""Paging: which posts of a slate the next page shows, so that each post is shown once and none is lost."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from serving.feed.rerankers.author_spacing import MAX_IN_A_ROW, space_authors


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a slate a client has been shown.

    Attributes:
        offset: index of the first post that no page has considered.
        shown: number of posts shown.
        before: authors of the last posts shown, which limit what the next page may start with.
        waiting: indices below `offset` of posts that author spacing has held back.
    """

    offset: int = 0
    shown: int = 0
    before: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()

    def window(self, limit: int, length: int) -> list[int]:
        """The indices that a page of `limit` posts chooses from, in a slate of `length`: at least one new one."""
        new = max(limit - len(self.waiting), 1)
        return [*self.waiting, *range(self.offset, min(self.offset + new, length))]

    @property
    def on_next_slate(self) -> "Progress":
        """The progress at the start of the slate that follows: positions and author spacing go on."""
        return Progress(shown=self.shown, before=self.before)

    def is_over(self, authors: Sequence[int]) -> bool:
        """Whether this was the last page: author spacing allows none of the posts that are left."""
        waiting = [authors[index] for index in self.waiting]
        return self.offset >= len(authors) and not space_authors(waiting, self.before)


def turn_page(
    authors: Sequence[int], visible: Container[int], progress: Progress, limit: int, *, spaced: bool = True
) -> tuple[list[int], Progress]:
    """The indices to show, in order, and the progress after them.

    Args:
        authors: of every post of the slate.
        visible: indices of the window that may be shown; the others are skipped.
        progress: before this page.
        limit: maximum number of posts on the page, at least 1.
        spaced: at most MAX_IN_A_ROW posts of an author in a row; without, the order of the slate.
    """
    window = progress.window(limit, len(authors))
    candidates = [index for index in window if index in visible]
    order = candidates
    if spaced:
        order = [candidates[row] for row in space_authors([authors[index] for index in candidates], progress.before)]
    order = order[:limit]
    before = (*progress.before, *(authors[index] for index in order[-MAX_IN_A_ROW:]))[-MAX_IN_A_ROW:]
    waiting = () if order == candidates else tuple(index for index in candidates if index not in order)
    offset = max(progress.offset, window[-1] + 1) if window else progress.offset
    return order, Progress(offset, progress.shown + len(order), before, waiting)
