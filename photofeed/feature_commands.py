"""`photofeed features`: what features there are, and whether the repo still gives models what they read.

Services add commands of their own to this group by a group of the same name (photofeed/cli.py).
"""

import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

PROMISES = "served"
"""Folder of the feature repo with the manifest of each service that models may be trained on."""

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


@app.command()
def check(
    champion: Annotated[bool, typer.Option("--champion", help="Also ask MLflow what the champion reads.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Promise what the repo declares now.")] = False,
) -> None:
    """Refuse a feature repo that takes from served models what they read; needs no running system."""
    from photofeed.errors import NotFoundError  # noqa: PLC0415
    from photofeed.feature_store import declared_manifests  # noqa: PLC0415
    from photofeed.features.compatibility import breaks, new_layouts  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    declared = declared_manifests(settings)
    if settings.feature_service not in declared:
        raise NotFoundError(
            f"{settings.feature_service!r} is to be served; the repo has {', '.join(declared) or 'none'}"
        )
    if write:
        _promise(settings.feature_repo / PROMISES, declared)
    needed = _promised(settings.feature_repo / PROMISES) | (_champion(settings) if champion else {})
    broken = [f"{what} ({whom})" for whom, manifest in needed.items() for what in breaks(manifest, declared)]
    for line in broken:
        typer.echo(line, err=True)
    if broken:
        raise typer.Exit(1)
    for whom, manifest in needed.items():
        for view in new_layouts(manifest, declared):
            typer.echo(f"{view} gets a new layout: until a model is trained on it, its rows are missed ({whom})")
    typer.echo(f"nothing breaks: {', '.join(needed)}")


def _promise(folder: Path, declared: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    for name, manifest in declared.items():
        # one feature a few lines, so that a review sees what changes
        (folder / f"{name}.json").write_text(json.dumps(json.loads(manifest.to_json()), indent=2) + "\n")
        typer.echo(f"{folder / name}.json written: commit it")


def _promised(folder: Path) -> dict[str, Any]:
    """What was promised, by the files that say so."""
    from photofeed.errors import InvalidError, NotFoundError  # noqa: PLC0415
    from photofeed.features.manifest import FeatureManifest  # noqa: PLC0415

    found = {}
    for file in sorted(folder.glob("*.json")):
        try:
            found[f"{folder.name}/{file.name}"] = FeatureManifest.from_json(file.read_bytes())
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidError(f"{file} is no manifest: {error!r}") from error
    if not found:
        raise NotFoundError(f"nothing was promised in {folder}: `photofeed features check --write` does so")
    return found


def _champion(settings: Any) -> dict[str, Any]:
    """What the champion was trained on, if there is one."""
    from photofeed.model_contract import CHAMPION, ModelRegistry  # noqa: PLC0415

    with ModelRegistry.connect(settings) as registry, tempfile.TemporaryDirectory() as folder:
        version = registry.current_version(CHAMPION)
        if version is None:
            typer.echo(f"{settings.model_name} has no champion")
            return {}
        return {f"the champion, version {version}": registry.fetch(version, Path(folder)).contract.manifest}


def _newest_events(settings: Any, views: Any, project: str) -> dict[str, str | None]:
    from redis import Redis  # noqa: PLC0415

    from photofeed.features.catalog import newest_event  # noqa: PLC0415
    from photofeed.online_store.feast_schema import row_schema  # noqa: PLC0415

    with Redis.from_url(settings.redis_url.get_secret_value()) as client:
        newest = {view.name: newest_event(client, row_schema(view, project)) for view in views}
    moments = {name: None if us is None else _EPOCH + timedelta(microseconds=us) for name, us in newest.items()}
    return {name: None if at is None else at.isoformat() for name, at in moments.items()}
