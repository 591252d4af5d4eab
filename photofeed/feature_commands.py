"""`photofeed features`: what features there are, and whether the repo still gives models what they read.

Services add commands of their own to this group by a group of the same name (photofeed/cli.py).
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

app = typer.Typer(help="Features: what there is, where it comes from, and whether it is right.", no_args_is_help=True)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@app.command("list")
def list_features(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Show every feature view as it is applied: features, units, owner, tags, and how fresh its online rows are."""
    from photofeed.feature_store import close_feature_store, open_feature_store  # noqa: PLC0415  Feast takes seconds
    from photofeed.features.catalog import catalog  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    store = open_feature_store(settings)
    try:
        views = store.list_feature_views()
        shown = catalog(views, store.list_feature_services())
        newest = _newest_events(settings, views, store.project)
    finally:
        close_feature_store(store)
    if as_json:
        typer.echo(json.dumps([asdict(view) | {"newestEvent": newest[view.name]} for view in shown], indent=2))
        return
    for view in shown:
        served = f", served by {', '.join(view.services)}" if view.services else ""
        typer.echo(f"{view.name}  by {', '.join(view.join_keys) or 'nothing'}; owner {view.owner or 'nobody'}{served}")
        typer.echo(f"  {view.description}; newest online row: {newest[view.name] or 'none'}")
        for feature in view.features:
            tags = " ".join(f"{name}={value!r}" for name, value in sorted(feature.tags.items()))
            typer.echo(f"    {feature.name}\t{feature.dtype}\t{feature.unit}\t{feature.description}\t{tags}")


def _newest_events(settings: Any, views: Any, project: str) -> dict[str, str | None]:
    from redis import Redis  # noqa: PLC0415

    from photofeed.features.catalog import newest_event  # noqa: PLC0415
    from photofeed.online_store.feast_schema import row_schema  # noqa: PLC0415

    with Redis.from_url(settings.redis_url.get_secret_value()) as client:
        newest = {view.name: newest_event(client, row_schema(view, project)) for view in views}
    moments = {name: None if us is None else _EPOCH + timedelta(microseconds=us) for name, us in newest.items()}
    return {name: None if at is None else at.isoformat() for name, at in moments.items()}
