"""The page of features: the views of the feature repo, and the columns of the model's input."""

from photofeed.feature_store import declared_catalog
from photofeed.features.catalog import CatalogView
from photofeed.settings import load_settings
from tools.reference.markdown import code, generated, table

_ABOUT = """Stored features are declared in `feature_repo/`. `photofeed features list` shows them with
the newest online row of each view."""


def page() -> str:
    """Every view with its features."""
    views = declared_catalog(load_settings(needs_secrets=False))
    return f"{generated('Features', '`feature_repo/`', _ABOUT)}\n" + "\n".join(_section(view) for view in views)


def _section(view: CatalogView) -> str:
    rows = [
        (
            code(one.name),
            one.dtype,
            one.unit,
            one.description,
            ", ".join(f"{k}={v}" for k, v in sorted(one.tags.items())),
        )
        for one in view.features
    ]
    keys = ", ".join(code(key) for key in view.join_keys)
    facts = f"Keys: {keys}. Owner: {view.owner or 'none'}. Feature services: {', '.join(view.services) or 'none'}."
    head = ("feature", "type", "unit", "meaning", "tags")
    return f"## {view.name}\n\n{view.description}\n\n{facts}\n\n{table(head, rows)}"


def _tags(tags: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(tags.items()))
