"""Never three posts in a row by one author."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from serving.feed.rerankers import Ranking

MOST_IN_A_ROW = 2


class AuthorSpacing:
    """Moves posts apart, and leaves out those that would stand third because nobody else has posts left."""

    name = "author spacing"
    reason = "only posts of its author were left"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking in the nearest order that is allowed."""
        authors = ranking.candidates.author_ids[ranking.rows]
        same = authors[1:] == authors[:-1]
        if not (same[1:] & same[:-1]).any():
            return ranking  # nearly always, and quicker to find out than by going through a list
        return ranking.take(np.array(space_authors(authors.tolist()), np.intp))


def space_authors(authors: Sequence[int], before: Sequence[int] = ()) -> list[int]:
    """An order of places in which no author stands more than MOST_IN_A_ROW times in a row.

    Each place goes to the first post, in the given order, that does not break the rule; the order changes as little as
    that. Posts that fit nowhere, because only one author is left, are left out.

    Args:
        authors: author of each post, best first.
        before: authors of the posts shown just before, if this goes on an earlier page.

    Returns:
        Places in `authors`, in their new order.
    """
    earlier, last = (None, None, *before)[-MOST_IN_A_ROW:]
    order: list[int] = []
    held: deque[int] = deque()  # posts by the author of the last two, till somebody else's stands between
    for place, author in enumerate(authors):
        if author == earlier == last:
            held.append(place)
            continue
        order.append(place)
        earlier, last = last, author
        while held and not authors[held[0]] == earlier == last:
            order.append(held.popleft())
            earlier, last = last, authors[order[-1]]
    return order
