"""A served page with two items, ranked by a model of two features, as tests of writers and readers use it."""

from datetime import UTC, datetime

import numpy as np

from photofeed.served_page import ServedItem, ServedPage, ShadowScores

SERVED_AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
RANKED_AT = SERVED_AT.replace(second=14)
FRESH = ServedItem(33, 23, position=30, score=-1.25, source="explore", pool="fresh", propensity=0.0625)
FOLLOWING = ServedItem(31, 21, position=31, score=0.75, source="following", pool="following", propensity=1.0)
PAGE = ServedPage(
    slate_id="s1",
    user_id=11,
    offset=30,
    ranking="model",
    model_version="7",
    experiment="ranker-test",
    arm="new",
    served_at=SERVED_AT,
    ranked_at=RANKED_AT,
    items=(FRESH, FOLLOWING),
    feature_names=("post_age_hours", "pair_like_rate"),
    features=np.array([[3, np.nan], [1.5, 0.1]], np.float32),
    shadow=ShadowScores("8", np.array([0.5, 0.25])),
)
