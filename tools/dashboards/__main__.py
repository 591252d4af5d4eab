"""`python -m tools.dashboards`: write the dashboards into deploy/grafana/dashboards of the working directory."""

from pathlib import Path

from tools.dashboards.feed import FEED
from tools.dashboards.models import MODELS
from tools.dashboards.workers import WORKERS

for dashboard in (FEED, WORKERS, MODELS):
    folder = Path("deploy") / "grafana" / "dashboards"
    (folder / f"{dashboard.name}.json").write_text(dashboard.to_json())
