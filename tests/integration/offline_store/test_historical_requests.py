"""`get_historical_features` as users of Feast know it: order kept, ids of the API, SQL, ranges, and clear refusals."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from feast.data_source import PushMode

from photofeed.errors import InvalidError
from photofeed.ids import encode_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Features = Any  # tests/integration/offline_store/conftest.py


def _push_posts(features: Features, likes: dict[int, float], at: datetime = NOON) -> None:
    count = len(likes)
    columns: dict[str, Any] = {"event_timestamp": [at] * count, "created": [at] * count, "post_id": list(likes)}
    rows = pd.DataFrame(columns | {"likes": list(likes.values()), "day": [7] * count, "caption": ["x"] * count})
    features.store.push("post_stats", rows, to=PushMode.OFFLINE)


def _push_pairs(features: Features, pairs: list[tuple[int, int]]) -> None:
    moments = {"event_timestamp": [NOON] * len(pairs), "created": [NOON] * len(pairs)}
    users, posts = ([pair[side] for pair in pairs] for side in (0, 1))
    values = {"affinity": np.ones(len(pairs), np.float32), "follows": [True] * len(pairs)}
    rows = pd.DataFrame({**moments, "user_id": users, "post_id": posts, **values})
    features.store.push("pair_stats", rows, to=PushMode.OFFLINE)


def test_the_result_has_the_rows_of_the_frame_in_their_order(features: Features) -> None:
    _push_posts(features, {post: float(post) for post in range(50)})
    posts = np.random.default_rng(1).integers(0, 50, 3000)
    labels = np.arange(3000)
    asked = pd.DataFrame({"post_id": posts, "event_timestamp": NOON + timedelta(hours=1), "label": labels})
    asked.index = asked.index[::-1]
    found = features.store.get_historical_features(asked, ["post_stats:likes"]).to_df()
    assert list(found.columns) == ["post_id", "event_timestamp", "label", "likes"]
    assert found["label"].tolist() == labels.tolist()
    assert found["likes"].tolist() == posts.tolist()


def test_ids_of_the_api_are_accepted_beside_numbers_and_returned_as_given(features: Features) -> None:
    post = 2**61 + 5
    _push_posts(features, {post: 3.0, 9: 4.0})
    _push_pairs(features, [(7, post)])
    given = [encode_id(post), "9", None]
    asked = pd.DataFrame({"user_id": [7, 7, 7], "post_id": given, "event_timestamp": [NOON + timedelta(hours=1)] * 3})
    found = features.store.get_historical_features(asked, ["post_stats:likes", "pair_stats:affinity"]).to_df()
    assert found["post_id"].tolist() == given
    assert found["likes"].tolist()[:2] == [3.0, 4.0]
    assert found["affinity"].tolist()[0] == 1.0
    assert found["likes"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("columns", "features_asked", "message"),
    [
        ({"post_id": [1]}, ["pair_stats:affinity"], "entity_df lacks user_id, by which pair_stats is joined"),
        ({"post_id": ["one"]}, ["post_stats:likes"], "post_id 'one' is neither an id of the API nor a number"),
        ({"post_id": [1], "likes": [0.5]}, ["post_stats:likes"], "has a column likes, like a feature of post_stats"),
    ],
    ids=["key missing", "no id", "taken name"],
)
def test_rows_that_do_not_fit_are_refused_in_a_sentence(
    features: Features, columns: dict[str, Any], features_asked: list[str], message: str
) -> None:
    _push_posts(features, {1: 1.0})
    with pytest.raises(InvalidError, match=message):
        features.store.get_historical_features(pd.DataFrame(columns | {"event_timestamp": [NOON]}), features_asked)


def test_a_range_has_every_row_of_the_views_at_its_time(features: Features) -> None:
    for hour in range(4):
        _push_posts(features, {1: float(hour), 2: 10.0 + hour}, NOON + timedelta(hours=hour))
    first, last = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    job = features.store.get_historical_features(features=["post_stats:likes"], start_date=first, end_date=last)
    found = job.to_df()
    assert found["likes"].tolist() == [1.0, 2.0, 11.0, 12.0]
    assert found["post_id"].tolist() == [1, 1, 2, 2]
    assert found["event_timestamp"].tolist() == [first, last] * 2


def test_a_range_needs_a_start_and_features_of_the_same_entities(features: Features) -> None:
    with pytest.raises(InvalidError, match="start_date and end_date"):
        features.store.get_historical_features(features=["post_stats:likes"], end_date=NOON)
    both = ["post_stats:likes", "pair_stats:affinity"]
    with pytest.raises(InvalidError, match="post_stats by post_id; pair_stats by post_id, user_id"):
        features.store.get_historical_features(features=both, start_date=NOON)


def test_entity_rows_may_be_sql_over_the_feature_views(features: Features) -> None:
    _push_posts(features, {1: 1.0, 2: 2.0, 3: 3.0})
    sql = "select post_id, event_timestamp + interval 1 hour as event_timestamp from post_stats where likes > 1"
    found = features.store.get_historical_features(f"{sql} order by post_id desc", ["post_stats:day"]).to_df()
    assert found["post_id"].tolist() == [3, 2]
    assert found["day"].tolist() == [7, 7]
    with pytest.raises(InvalidError, match=r"entity_df as SQL: .*nothing_like_it"):
        features.store.get_historical_features("select * from nothing_like_it", ["post_stats:day"])
