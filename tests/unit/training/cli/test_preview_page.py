import re
from datetime import UTC, datetime, timedelta

from training.cli.preview import Candidate, Preview, RankedPost
from training.cli.preview_page import as_html

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _placed(post_id: int, caption: str = "", picture: bytes = b"\xff\xd8") -> RankedPost:
    posted = NOW - timedelta(hours=post_id)
    post = Candidate(post_id, "following", "You follow @ana", "ana", caption, "sea", posted, picture)
    return RankedPost(post, 1.0 / post_id, (("pair_like_rate", 0.4, 0.25), ("post_age_hours", float("nan"), -0.1)))


def _page() -> str:
    columns = {
        "champion (version 4)": [_placed(1), _placed(2), _placed(3)],
        "version 5": [_placed(2), _placed(1), _placed(9)],
    }
    return as_html(Preview("ana", NOW, columns))


def test_two_models_stand_side_by_side_with_what_moved() -> None:
    page = _page()
    assert page.count("<section>") == 2
    second = page[page.index("version 5") :]
    assert re.findall(r"▲ from \d|▼ from \d|new<", second) == ["▲ from 2", "▼ from 1", "new<"]
    assert "from" not in page[page.index("<section>") : page.index("version 5")]
    assert "You follow @ana" in page
    assert "+0.250</span> pair_like_rate = 0.4" in page
    assert "-0.100</span> post_age_hours = nan" in page


def test_a_page_fetches_nothing_and_runs_nothing() -> None:
    page = as_html(Preview("ana", NOW, {"a": [_placed(1, "<script>alert(1)</script>"), _placed(2, picture=b"")]}))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert set(re.findall(r'src="([^,]*),', page)) == {"data:image/jpeg;base64"}
    assert not re.search(r"https?:|@import|url\(", page)
