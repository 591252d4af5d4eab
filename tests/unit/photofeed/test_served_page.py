from dataclasses import replace
from typing import Any

import pytest

from photofeed.errors import PoisonError
from photofeed.events import Envelope
from photofeed.served_page import ServedPage
from tests.served_pages import FOLLOWING, PAGE

# Version 1, as existing logs hold it: it must stay readable.
GOLDEN = (
    b'{"id":"0192c","type":"feed.served","version":1,"occurredAt":"2026-03-01T12:30:15.123456+00:00","key":"11",'
    b'"payload":{"slateId":"s1","userId":11,"offset":30,"ranking":"model","modelVersion":"7",'
    b'"experiment":"ranker-test","arm":"new","rankedAt":"2026-03-01T12:30:14.123456+00:00",'
    b'"featureNames":["post_age_hours","pair_like_rate"],"servedAt":"2026-03-01T12:30:15.123456+00:00","items":['
    b'{"postId":33,"creatorId":23,"position":30,"score":-1.25,"source":"explore","pool":"fresh","propensity":0.0625,'
    b'"features":[3.0,null]},'
    b'{"postId":31,"creatorId":21,"position":31,"score":0.75,"source":"following","pool":"following",'
    b'"propensity":1.0,"features":[1.5,0.1]}],"shadow":{"modelVersion":"8","scores":[0.5,0.25]}}}'
)
# A page ranked without features, model, experiment and challenger.
GOLDEN_WITHOUT_FEATURES = (
    b'{"id":"0192d","type":"feed.served","version":1,"occurredAt":"2026-03-01T12:30:15.123456+00:00","key":"11",'
    b'"payload":{"slateId":"s1","userId":11,"offset":0,"ranking":"recency","modelVersion":null,"experiment":null,'
    b'"arm":null,"rankedAt":"2026-03-01T12:30:14.123456+00:00","featureNames":null,'
    b'"servedAt":"2026-03-01T12:30:15.123456+00:00","items":[{"postId":31,"creatorId":21,"position":0,"score":0.75,'
    b'"source":"following","pool":"following","propensity":1.0,"features":[]}]}}'
)
# The first release logged neither pool, time of ranking, experiment nor page offset.
GOLDEN_FIRST_RELEASE = (
    b'{"id":"0192e","type":"feed.served","version":1,"occurredAt":"2026-03-01T12:30:15.123456+00:00","key":"11",'
    b'"payload":{"slateId":"s1","userId":11,"ranking":"model","modelVersion":"7",'
    b'"servedAt":"2026-03-01T12:30:15.123456+00:00","items":[{"postId":31,"creatorId":21,"position":0,"score":0.75,'
    b'"source":"following","propensity":1.0,"features":[1.5,0.1]}]}}'
)


def _columns(page: ServedPage) -> dict[str, Any]:
    """A page as values that can be compared."""
    fields = {name: getattr(page, name) for name in page.__slots__}
    shadow = page.shadow and (page.shadow.model_version, page.shadow.scores.tolist())
    return fields | {"features": [[str(value) for value in row] for row in page.features.tolist()], "shadow": shadow}


def test_a_page_written_by_version_1_still_decodes() -> None:
    assert _columns(ServedPage.from_envelope(Envelope.decode(GOLDEN))) == _columns(PAGE)


def test_a_page_is_written_as_version_1_has_it() -> None:
    assert replace(PAGE.to_envelope(), id="0192c").encode() == GOLDEN


def test_a_page_without_features_is_written_and_read_as_version_1_has_it() -> None:
    page = ServedPage.from_envelope(Envelope.decode(GOLDEN_WITHOUT_FEATURES))
    assert page.features.shape == (1, 0)
    assert (page.feature_names, page.shadow, page.model_version, page.experiment, page.arm) == (None,) * 5
    assert replace(page.to_envelope(), id="0192d").encode() == GOLDEN_WITHOUT_FEATURES


def test_a_page_of_the_first_release_decodes_with_what_it_lacks_unknown() -> None:
    page = ServedPage.from_envelope(Envelope.decode(GOLDEN_FIRST_RELEASE))
    assert page.items == (FOLLOWING._replace(position=0, pool=None),)
    assert (page.ranked_at, page.offset, page.feature_names) == (None,) * 3
    assert (page.experiment, page.arm, page.shadow) == (None,) * 3


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        (b'"slateId":"s1"', b'"x":1'),
        (b'"userId":11', b'"userId":null'),
        (b'"postId":33', b'"postId":"a post"'),
        (b'"propensity":0.0625', b'"x":1'),
        (b'"features":[3.0,null]', b'"features":[3.0]'),
        (b'"features":[3.0,null]', b'"features":3.0'),
        (b'"scores":[0.5,0.25]', b'"scores":[0.5]'),
        (b'"servedAt":"2026-03-01T12:30:15.123456+00:00"', b'"servedAt":"today"'),
        (b'"items":[', b'"items":1,"x":['),
    ],
)
def test_a_page_with_a_wrong_field_is_poison(part: bytes, broken: bytes) -> None:
    assert part in GOLDEN
    with pytest.raises(PoisonError, match="not a served page"):
        ServedPage.from_envelope(Envelope.decode(GOLDEN.replace(part, broken)))
