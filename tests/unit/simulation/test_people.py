import re

import numpy as np

from simulation.people import appeal, populate

TOPICS = ("sea", "city", "forest", "night", "food", "snow")


def test_the_same_seed_gives_the_same_people() -> None:
    first, again = (populate(5, 30, 8, TOPICS) for _ in range(2))

    assert [person.handle for person in first.people] == [person.handle for person in again.people]
    for one, other in zip(first.people, again.people, strict=True):
        np.testing.assert_array_equal(one.topic_taste, other.topic_taste)
        np.testing.assert_array_equal(one.creator_taste, other.creator_taste)


def test_another_seed_gives_other_people() -> None:
    one, other = populate(5, 30, 8, TOPICS), populate(6, 30, 8, TOPICS)

    assert [person.handle for person in one.people] != [person.handle for person in other.people]


def test_handles_are_valid_and_unique() -> None:
    handles = [person.handle for person in populate(1, 600, 100, TOPICS).people]

    assert len(set(handles)) == len(handles)
    assert all(re.fullmatch(r"[a-z0-9_.]{2,30}", handle) for handle in handles)


def test_tastes_differ_between_people() -> None:
    tastes = np.stack([person.topic_taste for person in populate(2, 200, 20, TOPICS).people])

    assert tastes.std(axis=0).min() > 0.5  # between people, on every topic
    assert len(set(tastes.argmax(axis=1))) == len(TOPICS)


def test_creators_post_about_few_topics() -> None:
    weights = np.stack([creator.topic_weights for creator in populate(3, 10, 50, TOPICS).creators])

    np.testing.assert_allclose(weights.sum(axis=1), np.ones(50))
    assert np.sort(weights)[:, -4:].sum(axis=1).min() > 0.9


def test_appeal_depends_only_on_the_post() -> None:
    creator = populate(3, 1, 2, TOPICS).creators[0]

    assert appeal(creator, "mei.lens", "Waves") == appeal(creator, "mei.lens", "Waves")
    assert appeal(creator, "mei.lens", "Waves") != appeal(creator, "mei.lens", "Fog")
