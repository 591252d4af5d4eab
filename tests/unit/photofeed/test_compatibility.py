"""What a repo may change beneath a served model, and what it may not."""

from dataclasses import replace

import pytest

from photofeed.features.compatibility import breaks
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.online_store import FieldSpec, JoinKey, RowSchema

LIKES, AGE = FieldSpec("likes_7d", "DOUBLE", 0.0), FieldSpec("age", "FLOAT")


def _manifest(
    fields: tuple[FieldSpec, ...] = (LIKES, AGE), key: str = "INT64", half_life: float = 60.0, counts: str = "like=1"
) -> FeatureManifest:
    schema = RowSchema("photofeed", "post", (JoinKey("post_id", key),), fields)
    return FeatureManifest(
        "ranker", (ManifestView(schema, {"likes_7d": half_life}, {"likes_7d": counts} if counts else {}),)
    )


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        (_manifest((LIKES,)), ["post:age is gone"]),
        (_manifest((LIKES, replace(AGE, value_type="DOUBLE"))), ["post:age was FLOAT and is DOUBLE: use another name"]),
        (_manifest(key="STRING"), ["post was keyed by post_id INT64 and is by post_id STRING: use another name"]),
        (
            _manifest(half_life=float("inf")),
            ["post:likes_7d had a half-life of 60 s and has one of inf s: use another name"],
        ),
        (FeatureManifest("ranker", ()), ["post is gone"]),
        (
            _manifest((replace(LIKES, default=1.0), AGE)),
            ["post:likes_7d had the default 0.0 and has 1.0: use another name"],
        ),
        (_manifest(counts="like=2"), ["post:likes_7d counted 'like=1' and counts 'like=2': use another name"]),
        (_manifest(counts=""), ["post:likes_7d counted 'like=1' and counts None: use another name"]),
        (replace(_manifest(), service="another"), []),
    ],
)
def test_what_a_served_model_would_miss_is_named(offered: FeatureManifest, said: list[str]) -> None:
    assert breaks(_manifest(), {offered.service: offered}) == said


@pytest.mark.parametrize("fields", [(LIKES, AGE, FieldSpec("new", "FLOAT")), (AGE, LIKES)])
def test_an_addition_or_another_order_breaks_nothing(fields: tuple[FieldSpec, ...]) -> None:
    assert breaks(_manifest(), {"ranker": _manifest(fields)}) == []


@pytest.mark.parametrize("before", [float("nan"), 0.0, 1.0])
@pytest.mark.parametrize("now", [float("nan"), 0.0, 1.0])
def test_defaults_are_the_same_if_both_are_nan_or_equal(before: float, now: float) -> None:
    served, offered = (_manifest((replace(LIKES, default=one), AGE)) for one in (before, now))
    same = repr(before) == repr(now)
    assert [f"had the default {before} and has {now}" in one for one in breaks(served, {"ranker": offered})] == (
        [] if same else [True]
    )


def test_what_a_manifest_of_before_does_not_tell_is_not_compared() -> None:
    assert breaks(_manifest(counts=""), {"ranker": _manifest(counts="like=2")}) == []


def test_counted_actions_survive_json_and_a_manifest_without_them_keeps_its_hash() -> None:
    again = FeatureManifest.from_json(_manifest().to_json())
    assert again.views[0].counts == {"likes_7d": "like=1"}
    assert b"counts" not in _manifest(counts="").to_json()
