import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.feed.rerankers.diversity import SAME_AUTHOR, SAME_TOPIC, diversify

POSTS = st.lists(st.tuples(st.floats(-100, 100), st.integers(1, 5)), max_size=60)


@given(POSTS)
def test_best_posts_keep_their_score_others_lose_and_no_authors_posts_change_places(
    posts: list[tuple[float, int]],
) -> None:
    scores = np.array([score for score, _ in posts])
    authors = np.array([author for _, author in posts], dtype=np.int64)
    lowered = diversify(scores, authors, SAME_AUTHOR, np.zeros_like(authors))
    assert (lowered <= scores).all()
    for author in set(authors.tolist()):
        mine, theirs = scores[authors == author], lowered[authors == author]
        assert theirs.max() == mine.max()
        order = np.argsort(-mine, kind="stable")
        assert (np.diff(theirs[order]) <= 1e-9).all()


def test_an_author_with_the_best_posts_does_not_fill_the_top() -> None:
    scores = np.concatenate([np.linspace(1.0, 0.8, 10), np.linspace(0.7, 0.1, 20)])
    authors = np.array([1] * 10 + list(range(2, 22)), dtype=np.int64)
    top = authors[np.argsort(-diversify(scores, authors, SAME_AUTHOR, np.zeros_like(authors)))][:10]
    assert top[0] == 1
    assert (top == 1).sum() <= 5


def test_equal_scores_stay_equal() -> None:
    scores = np.zeros(5)
    assert diversify(scores, np.ones(5, dtype=np.int64), SAME_AUTHOR, np.zeros(5, np.int64)).tolist() == [0.0] * 5


def test_a_favourite_topic_leads_but_leaves_room_for_others() -> None:
    scores = np.concatenate([np.linspace(1.0, 0.5, 20), np.linspace(0.55, 0.3, 10)])
    topics = np.array([1] * 20 + list(range(2, 12)), dtype=np.int64)
    top = topics[np.argsort(-diversify(scores, topics, SAME_TOPIC, np.zeros_like(topics)))][:15]
    assert top[0] == 1
    assert 5 <= (top == 1).sum() < 15
