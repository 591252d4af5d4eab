"""What a repo may change beneath a served model, and what it may not."""

from dataclasses import replace

import pytest

from photofeed.features.compatibility import breaks, new_layouts
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.online_store import FieldSpec, JoinKey, RowSchema

LIKES, AGE = FieldSpec("likes_7d", "DOUBLE", 0.0), FieldSpec("age", "FLOAT")


def _manifest(
    fields: tuple[FieldSpec, ...] = (LIKES, AGE), key: str = "INT64", half_life: float = 60.0
) -> FeatureManifest:
    schema = RowSchema("photofeed", "post", (JoinKey("post_id", key),), fields)
    return FeatureManifest("ranker", (ManifestView(schema, {"likes_7d": half_life}),))


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        (_manifest((LIKES,)), ["post:age is gone"]),
        (_manifest((LIKES, replace(AGE, value_type="DOUBLE"))), ["post:age was FLOAT and is DOUBLE"]),
        (_manifest(key="STRING"), ["post was keyed by post_id INT64 and is by post_id STRING"]),
        (
            _manifest(half_life=float("inf")),
            ["post:likes_7d had a half-life of 60 s and has one of inf s: use another name"],
        ),
        (FeatureManifest("ranker", ()), ["post is gone"]),
        (replace(_manifest(), service="another"), ["service ranker is gone"]),
    ],
)
def test_what_a_served_model_would_miss_is_named(offered: FeatureManifest, said: list[str]) -> None:
    assert breaks(_manifest(), {offered.service: offered}) == said


@pytest.mark.parametrize("fields", [(LIKES, AGE, FieldSpec("new", "FLOAT")), (AGE, LIKES)])
def test_an_addition_or_another_order_breaks_nothing_and_is_told_as_a_new_layout(
    fields: tuple[FieldSpec, ...],
) -> None:
    offered = {"ranker": _manifest(fields)}
    assert breaks(_manifest(), offered) == []
    assert new_layouts(_manifest(), offered) == ["post"]
    assert new_layouts(_manifest(), {"ranker": _manifest()}) == []
