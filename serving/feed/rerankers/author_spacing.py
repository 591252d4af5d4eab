"""At most two posts in a row by one author."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from serving.feed.candidates import Candidates
from serving.feed.rerankers import Ranking

MAX_IN_A_ROW = 2


class AuthorSpacing:
    """Moves posts of one author apart, and removes those that would stand third in a row at the end of the slate.

    If all candidates are by one author, nothing can stand between them: they stay in a row.
    """

    name = "author spacing"
    reason = "only posts of its author were left"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking in the nearest order that the rule allows."""
        authors = ranking.candidates.author_ids[ranking.rows]
        same = authors[1:] == authors[:-1]
        if not np.count_nonzero(same[1:] & same[:-1]):
            return ranking  # the usual case, and cheaper to detect than to reorder
        if have_one_author(ranking.candidates):
            return ranking
        return ranking.take(np.array(space_authors(authors.tolist()), np.intp))


def have_one_author(candidates: Candidates) -> bool:
    """Whether all candidates are by one author; false without candidates."""
    return len(candidates) > 0 and bool((candidates.author_ids == candidates.author_ids[0]).all())


def space_authors(authors: Sequence[int], before: Sequence[int] = ()) -> list[int]:
    """An order in which no author has more than MAX_IN_A_ROW posts in a row.

    Each position takes the first post, in the given order, that does not break the rule; otherwise the order stays.
    Posts that fit nowhere, because only their author has posts left, are left out.

    Args:
        authors: the author of each post, best first.
        before: authors of the posts shown just before, if this continues an earlier page.

    Returns:
        Indices in `authors`, in their new order.
    """
    earlier, last = (None, None, *before)[-MAX_IN_A_ROW:]
    order: list[int] = []
    held: deque[int] = deque()  # posts by the author of the last two, until another author's post comes between
    for index, author in enumerate(authors):
        if author == earlier == last:
            held.append(index)
            continue
        order.append(index)
        earlier, last = last, author
        while held and not authors[held[0]] == earlier == last:
            order.append(held.popleft())
            earlier, last = last, authors[order[-1]]
    return order
