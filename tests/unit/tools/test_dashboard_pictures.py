"""Pictures of dashboards: every graph is drawn, and those that show nothing are named."""

from pathlib import Path

import pytest
from PIL import Image

from tools.dashboards.drawing import draw, text_of, without_data
from tools.dashboards.panels import Dashboard, Panel
from tools.prometheus import Prometheus, Series

DASHBOARD = Dashboard(
    "some",
    "some graphs",
    (
        Panel("Busy", "s", {"busy": "{{worker}}"}, "", limit=0.5),
        Panel("Idle", "short", {"idle": "never"}, ""),
        Panel("Zero", "percentunit", {"zero": "none"}, ""),
    ),
)


class Answering(Prometheus):
    """A Prometheus with two lines for `busy`, a line of zeros for `zero`, and no numbers."""

    def range(self, expression: str, start: float, end: float) -> list[Series]:
        times = (start, end)
        lines = {
            "busy": [Series({"worker": name}, times, (0.1, 0.9)) for name in ("photos", "zoom")],
            "zero": [Series({}, times, (0.0, 0.0))],
            "idle": [Series({}, times, (float("nan"), float("nan")))],  # a quantile of nothing
        }
        return lines.get(expression, [])


def test_a_dashboard_is_drawn_and_graphs_without_data_are_named(tmp_path: Path) -> None:
    file = tmp_path / "some.png"
    assert without_data(DASHBOARD, Answering(""), 1_800_000_000, 1_800_000_600) == ["Idle"]
    draw(DASHBOARD, Answering(""), 1_800_000_000, 1_800_000_600, file)
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        assert picture.width > 900
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 10


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0125, "s", "12.5 ms"),
        (3, "s", "3 s"),
        (0, "s", "0 s"),
        (0.995, "percentunit", "99.5 %"),
        (12_000, "short", "12 k"),
        (2.5, "reqps", "2.5 req/s"),
    ],
)
def test_a_value_has_its_unit(value: float, unit: str, text: str) -> None:
    assert text_of(value, unit) == text
