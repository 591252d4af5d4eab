"""Never three posts in a row by one author."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from serving.feed.rerankers import Ranking

MOST_IN_A_ROW = 2


class AuthorSpacing:
    """Moves posts apart, and leaves out those that would stand third because nobody else has posts left."""

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
    shown = [*before, *authors]
    if not any(one == two == three for one, two, three in zip(shown, shown[1:], shown[2:], strict=False)):
        return list(range(len(authors)))
    waiting = deque(range(len(authors)))
    recent: deque[int] = deque(before, maxlen=MOST_IN_A_ROW)
    order: list[int] = []
    while waiting:
        barred = recent[0] if len(recent) == MOST_IN_A_ROW and len(set(recent)) == 1 else None
        chosen = next((place for place in waiting if authors[place] != barred), None)
        if chosen is None:
            break
        waiting.remove(chosen)
        order.append(chosen)
        recent.append(authors[chosen])
    return order
