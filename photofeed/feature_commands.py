"""`photofeed features`: lists features, and checks that the repo still declares what models read.

Services add commands to this group by a group of the same name (photofeed/cli.py).
"""

import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

SERVED = "served"
"""Folder of the feature repo with the manifest of each feature service that models are trained on."""

app = typer.Typer(help="List, check and repair features.", no_args_is_help=True)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@app.command("list")
def list_features(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Show every applied feature view: features, units, owner, tags, and the newest online row."""
    from photofeed.feature_store import close_feature_store, open_feature_store  # Feast takes seconds
    from photofeed.features.catalog import catalog
    from photofeed.settings import load_settings

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
    champion: Annotated[
        bool, typer.Option("--champion", help="Also check what the versions of all aliases read; needs MLflow.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="First write what the repo declares now; refused if a field changed.")
    ] = False,
) -> None:
    """Check that the feature repo still declares all features that served models read, with the same meaning.

    A field keeps its name, type, default, half-life and counted actions. Exits with 1 if one has changed. Needs no
    running system.
    """
    from photofeed.errors import NotFoundError
    from photofeed.feature_store import declared_manifests
    from photofeed.features.compatibility import breaks, changes
    from photofeed.settings import load_settings

    settings = load_settings(needs_secrets=False)
    declared = declared_manifests(settings)
    if settings.feature_service not in declared:
        raise NotFoundError(
            f"the repo has no feature service {settings.feature_service!r}; it has {', '.join(declared) or 'none'}"
        )
    if write:
        folder = settings.feature_repo / SERVED
        promised = _served_manifests(folder) if folder.is_dir() else {}
        _refuse([f"{what} ({user})" for user, manifest in promised.items() for what in changes(manifest, declared)])
        _write_manifests(folder, declared)
    needed = _served_manifests(settings.feature_repo / SERVED) | (_models(settings) if champion else {})
    _refuse([f"{what} ({user})" for user, manifest in needed.items() for what in breaks(manifest, declared)])
    typer.echo(f"nothing breaks: {', '.join(needed)}")


def _refuse(broken: list[str]) -> None:
    for line in broken:
        typer.echo(line, err=True)
    if broken:
        raise typer.Exit(1)


def _write_manifests(folder: Path, declared: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    for name, manifest in declared.items():
        # indented, so that a review shows which features change
        (folder / f"{name}.json").write_text(json.dumps(json.loads(manifest.to_json()), indent=2) + "\n")
        typer.echo(f"{folder / name}.json written: commit it")


def _served_manifests(folder: Path) -> dict[str, Any]:
    """The manifests in a folder, by file name."""
    from photofeed.errors import InvalidError, NotFoundError
    from photofeed.features.manifest import FeatureManifest

    found = {}
    for file in sorted(folder.glob("*.json")):
        try:
            found[f"{folder.name}/{file.name}"] = FeatureManifest.from_json(file.read_bytes())
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidError(f"{file} is not a manifest: {error!r}") from error
    if not found:
        raise NotFoundError(f"{folder} has no manifests: write them by `photofeed features check --write`")
    return found


def _models(settings: Any) -> dict[str, Any]:
    """The manifests that the versions of the aliases were trained on."""
    from photofeed.models.registry import CHALLENGER, CHAMPION, PREVIOUS, ModelRegistry

    with ModelRegistry.connect(settings) as registry, tempfile.TemporaryDirectory() as folder:
        aliases = registry.aliases()
        if CHAMPION not in aliases:
            typer.echo(f"{settings.model_name} has no champion")
        return {
            f"the {alias}, version {aliases[alias]}": registry.fetch(aliases[alias], Path(folder)).contract.manifest
            for alias in (CHAMPION, PREVIOUS, CHALLENGER)
            if alias in aliases
        }


def _newest_events(settings: Any, views: Any, project: str) -> dict[str, str | None]:
    from photofeed.features.catalog import newest_event
    from photofeed.online_store.feast_schema import row_schema
    from photofeed.redis_client import connect_redis

    with connect_redis(settings) as client:
        newest = {view.name: newest_event(client, row_schema(view, project)) for view in views}
    moments = {name: None if us is None else _EPOCH + timedelta(microseconds=us) for name, us in newest.items()}
    return {name: None if at is None else at.isoformat() for name, at in moments.items()}
