from pathlib import Path
from typing import Any

import orjson
import pytest

from photofeed.errors import InvalidError
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import require_stored


@pytest.fixture
def promised() -> dict[str, Any]:
    """What the repository promises to serve, as plain data."""
    path = Path(__file__).parents[3] / "feature_repo" / "served" / "feed_ranker_v1.json"
    plain: dict[str, Any] = orjson.loads(path.read_bytes())
    return plain


def test_the_repository_s_own_features_are_enough(promised: dict[str, Any]) -> None:
    require_stored(FeatureManifest.from_json(orjson.dumps(promised)))


def test_features_of_another_release_are_refused_by_name_with_the_remedy(promised: dict[str, Any]) -> None:
    (view,) = [view for view in promised["views"] if view["schema"]["view"] == "post_engagement"]
    view["schema"]["fields"] = [field for field in view["schema"]["fields"] if field["name"] != "likes_1h"]
    del view["halfLives"]["likes_1h"]
    with pytest.raises(InvalidError, match=r"post_engagement:likes_1h.*photofeed setup"):
        require_stored(FeatureManifest.from_json(orjson.dumps(promised)))
