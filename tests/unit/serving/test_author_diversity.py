import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.feed.rerankers.author_diversity import diversify_authors

POSTS = st.lists(st.tuples(st.floats(-100, 100), st.integers(1, 5)), max_size=60)


@given(POSTS)
def test_best_posts_keep_their_score_others_lose_and_no_authors_posts_change_places(
    posts: list[tuple[float, int]],
) -> None:
    scores = np.array([score for score, _ in posts])
    authors = np.array([author for _, author in posts], dtype=np.int64)
    lowered = diversify_authors(scores, authors)
    assert (lowered <= scores).all()
    for author in set(authors.tolist()):
        mine, theirs = scores[authors == author], lowered[authors == author]
        assert theirs.max() == mine.max()
        order = np.argsort(-mine, kind="stable")
        assert (np.diff(theirs[order]) <= 1e-9).all()


def test_an_author_with_the_best_posts_does_not_fill_the_top() -> None:
    scores = np.concatenate([np.linspace(1.0, 0.8, 10), np.linspace(0.7, 0.1, 20)])
    authors = np.array([1] * 10 + list(range(2, 22)), dtype=np.int64)
    top = authors[np.argsort(-diversify_authors(scores, authors))][:10]
    assert top[0] == 1
    assert (top == 1).sum() <= 5


def test_equal_scores_stay_equal() -> None:
    scores = np.zeros(5)
    assert diversify_authors(scores, np.ones(5, dtype=np.int64)).tolist() == [0.0] * 5
