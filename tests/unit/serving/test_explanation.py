"""An explanation says of each candidate where it went, and why."""

from typing import Any

import numpy as np

from photofeed.ids import encode_id
from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.explanation import Explanation
from serving.feed.rerankers import Ranking, Step
from serving.feed.slate import SlateItems
from serving.feed.source_table import Source


class Rule:
    """A rule with a name and a reason."""

    name, reason = "rule", "because"

    def apply(self, ranking: Ranking) -> Ranking:
        return ranking


def _candidates(source: Source, *posts: int) -> Candidates:
    return Candidates.from_members([PostRef(post, post + 100, 7, 0).member() for post in posts], source)


def _items(*posts: int) -> SlateItems:
    ids, flags = np.array(posts), np.zeros(len(posts), np.int8)
    numbers, nothing = np.zeros(len(posts)), np.zeros((len(posts), 0), np.float32)
    return SlateItems(ids, ids, flags, numbers, numbers, flags, nothing, nothing)


def _explanation() -> Explanation:
    """Of the posts 1 to 5: 3 and 1 are in the slate, a rule removed 2, 4 was withheld, 5 was seen; 6 was dropped."""
    dropped = _candidates(Source.FRESH, 6, 7)
    rows = np.array([0, 1, 2, 3, 4])
    explanation = Explanation(
        candidates=_candidates(Source.FOLLOWING, 1, 2, 3, 4, 5),
        scores=np.array([0.5, 0.1, 0.9, 0.3, 0.2]),
        items=_items(3, 1, 4),
        skipped=("pools",),
        repeats=1,
        steps=[Step(Rule(), rows[[2, 0, 3, 4, 1]], rows[[2, 0, 3, 4]])],
        withheld=frozenset({4}),
    )
    explanation.drop(dropped, np.array([False, True]), "own")
    return explanation


def _shown(one: dict[str, Any]) -> tuple[str, int | None, str]:
    return one["postId"], one["position"], one["outcome"]


def test_candidates_are_listed_by_position_then_by_score_then_those_that_filters_removed() -> None:
    told = _explanation().to_json()
    assert [_shown(one) for one in told["candidates"]] == [
        (encode_id(3), 0, "in the slate"),
        (encode_id(1), 1, "in the slate"),
        (encode_id(4), 2, "withheld: no longer visible to the viewer"),
        (encode_id(5), None, "left out: recently seen"),
        (encode_id(2), None, "left out: because"),
        (encode_id(6), None, "dropped: own"),
    ]
    assert [one.get("rank") for one in told["candidates"]] == [0, 1, 2, 3, 4, None]
    assert [one["score"] for one in told["candidates"]] == [0.9, 0.5, 0.3, 0.2, 0.1, None]
    assert {one["source"] for one in told["candidates"][:5]} == {"following"}
    assert (told["candidates"][-1]["source"], told["candidates"][-1]["pool"]) == ("explore", "fresh")
    assert told["candidates"][0]["authorId"] == encode_id(103)
    assert (told["skippedSources"], told["repeats"], told["featureNames"]) == (("pools",), 1, ())


def test_what_is_not_in_the_slate_has_the_reason_of_a_filter_or_a_rule() -> None:
    assert _explanation().left_out() == {6: "own", 2: "because"}


def test_moves_have_the_rule_and_the_places_before_and_after() -> None:
    before, after = np.array([0, 1, 2]), np.array([1, 0, 2, 3])
    explanation = Explanation(
        candidates=_candidates(Source.FOLLOWING, 1, 2, 3, 4),
        scores=np.array([4.0, 3.0, 2.0, 1.0]),
        items=_items(2, 1, 3, 4),
        steps=[Step(Rule(), before, after)],
    )
    assert {one["postId"]: one["moves"] for one in explanation.to_json()["candidates"]} == {
        encode_id(1): [{"rule": "rule", "from": 0, "to": 1}],
        encode_id(2): [{"rule": "rule", "from": 1, "to": 0}],
        encode_id(3): [],
        encode_id(4): [{"rule": "rule", "from": None, "to": 3}],
    }
