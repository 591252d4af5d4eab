import re

import numpy as np

from simulation.people import appeal, populate

TOPICS = ("sea", "city", "forest", "night", "food", "snow")


def test_a_demo_can_be_repeated_person_by_person() -> None:
    first, again = (populate(5, 30, 8, TOPICS) for _ in range(2))

    assert [person.handle for person in first.people] == [person.handle for person in again.people]
    for one, other in zip(first.people, again.people, strict=True):
        np.testing.assert_array_equal(one.topic_taste, other.topic_taste)
        np.testing.assert_array_equal(one.creator_taste, other.creator_taste)


def test_another_seed_is_another_world() -> None:
    one, other = populate(5, 30, 8, TOPICS), populate(6, 30, 8, TOPICS)

    assert [person.handle for person in one.people] != [person.handle for person in other.people]


def test_every_handle_is_one_the_api_takes_and_nobody_shares_it() -> None:
    handles = [person.handle for person in populate(1, 600, 100, TOPICS).people]

    assert len(set(handles)) == len(handles)
    assert all(re.fullmatch(r"[a-z0-9_.]{2,30}", handle) for handle in handles)


def test_people_differ_in_what_they_love_so_that_ranking_can_be_personal() -> None:
    tastes = np.stack([person.topic_taste for person in populate(2, 200, 20, TOPICS).people])

    assert tastes.std(axis=0).min() > 0.5  # between people, on every topic
    assert len(set(tastes.argmax(axis=1))) == len(TOPICS)


def test_creators_post_about_few_subjects() -> None:
    creators = populate(3, 10, 50, TOPICS).creators

    assert all(abs(creator.topic_weights.sum() - 1) < 1e-9 for creator in creators)
    assert all(np.sort(creator.topic_weights)[-4:].sum() > 0.9 for creator in creators)


def test_a_post_appeals_to_everybody_the_same_and_again_after_a_restart() -> None:
    creator = populate(3, 1, 2, TOPICS).creators[0]

    assert appeal(creator, "mei.lens", "Waves") == appeal(creator, "mei.lens", "Waves")
    assert appeal(creator, "mei.lens", "Waves") != appeal(creator, "mei.lens", "Fog")
