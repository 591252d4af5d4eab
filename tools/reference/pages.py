"""The reference pages by the path that each has on the site."""

import json
from pathlib import Path

from tools.reference import api, commands, errors, features, messages, metrics, settings


def pages(root: Path) -> dict[str, str]:
    """Every page of the repository at `root`, as Markdown by its path below docs/."""
    document = json.loads((root / "docs" / "openapi.json").read_text())
    return {
        "reference/api.md": api.page(document),
        "reference/errors.md": errors.page(document),
        "reference/settings.md": settings.page(),
        "reference/commands.md": commands.page(),
        "reference/features.md": features.page(),
        "reference/metrics.md": metrics.page(),
        "reference/topics.md": messages.page(),
    }
