"""Feast with the settings' systems: registry, applying the repo, and the manifests that serving reads instead."""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import structlog

from photofeed.errors import InvalidError, NotFoundError
from photofeed.features.catalog import CatalogView, catalog
from photofeed.features.counters import AS_OF_FIELD, COUNTS_TAG, CounterView, counter_view, parse_counter
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.object_store import ObjectStore
from photofeed.offline_store.tables import MIRROR
from photofeed.online_store.layouts import append_layout
from photofeed.redis_client import connect_redis, is_cluster, server_url
from photofeed.settings import Settings

log = structlog.get_logger(__name__)

MODEL_TAG = "photofeed_model"
"""Tag of the FeatureServices that registered versions name; its value is the registered model."""


def feast_environment(settings: Settings) -> dict[str, str]:
    """The environment variables that feature_repo/feature_store.yaml and its sources use."""
    keys = {"ACCESS_KEY": settings.s3_access_key, "SECRET_KEY": settings.s3_secret_key.get_secret_value()}
    # pyarrow reads the schemas of sources, and takes its credentials from these; without keys from the default chain
    chain = {"AWS_ACCESS_KEY_ID": keys["ACCESS_KEY"], "AWS_SECRET_ACCESS_KEY": keys["SECRET_KEY"]}
    offline_store = "SparkLakeOfflineStore" if settings.spark_master else "LakeOfflineStore"
    return {
        "PHOTOFEED_FEAST_OFFLINE_STORE": f"photofeed.offline_store.{offline_store}",
        "PHOTOFEED_FEAST_SPARK_MASTER": settings.spark_master,
        "PHOTOFEED_FEAST_REGISTRY_URL": settings.sqlalchemy_url,
        "PHOTOFEED_FEAST_REDIS_TYPE": "redis_cluster" if is_cluster(settings) else "redis",
        "PHOTOFEED_FEAST_REDIS_URL": server_url(settings),
        "PHOTOFEED_FEAST_S3_ENDPOINT_URL": settings.s3_endpoint_url,
        **{f"PHOTOFEED_FEAST_S3_{name}": value for name, value in keys.items()},
        "PHOTOFEED_FEAST_S3_REGION": settings.s3_region,
        "PHOTOFEED_FEAST_BUCKET": settings.bucket_lake,
        "PHOTOFEED_FEAST_CACHE_DIR": str((settings.state_dir / MIRROR).absolute()),
        "PHOTOFEED_FEAST_DUCKDB_MEMORY_MB": str(settings.duckdb_memory_mb),
        **(chain if settings.s3_access_key else {}),
        "AWS_DEFAULT_REGION": settings.s3_region,
        "FEAST_USAGE": "False",
    }


def open_feature_store(settings: Settings) -> Any:
    """A `feast.FeatureStore` on the settings' systems. Importing Feast takes seconds, so call it only if needed."""
    os.environ.update(feast_environment(settings))
    from feast import FeatureStore

    return FeatureStore(repo_path=str(settings.feature_repo.absolute()))


def close_feature_store(store: Any) -> None:
    """Close the registry's connections, which Feast leaves open."""
    for engine in (store.registry.write_engine, store.registry.read_engine):
        engine.dispose()


def apply_feature_repo(settings: Settings, objects: ObjectStore) -> FeatureManifest:
    """Apply feature_repo/ to the registry, and publish the manifest of the served feature service.

    The row layouts of the manifest that is replaced stay registered beside the rows, so that those rows stay readable.
    """
    os.environ.update(feast_environment(settings))
    from feast import FeatureStore
    from feast.repo_operations import apply_total

    from photofeed.offline_store import LakeOfflineStore

    repo = settings.feature_repo.absolute()
    with _inside(repo) as printed:
        config, contents = _parse(repo)
        for view in contents.feature_views:
            LakeOfflineStore.ensure_source(config, view, contents.entities)
        kept = _services_of_models(FeatureStore(config=config))
        apply_total(config, repo, skip_source_validation=False)
        _apply_again(FeatureStore(config=config), kept)
    log.info("feature repo applied", said=printed.getvalue().split("\n"))
    manifest = compile_manifest(FeatureStore(config=config), settings.feature_service)
    _register_layouts(settings, [*_published(settings, objects), manifest])
    objects.put(settings.bucket_lake, _manifest_key(manifest.service), manifest.to_json(), "application/json")
    return manifest


def _services_of_models(store: Any) -> dict[str, tuple[dict[str, list[str]], dict[str, str], str]]:
    """The FeatureServices that registered versions name: view -> fields, tags and description, by name of the service.

    Applying the repo removes them, because it does not declare them.
    """
    return {
        service.name: (
            {each.name: [field.name for field in each.features] for each in service.feature_view_projections},
            dict(service.tags),
            service.description,
        )
        for service in store.list_feature_services()
        if MODEL_TAG in service.tags
    }


def _apply_again(store: Any, services: dict[str, tuple[dict[str, list[str]], dict[str, str], str]]) -> None:
    from feast import FeatureService
    from feast.errors import FeatureViewNotFoundException

    for name, (fields, tags, description) in services.items():
        try:
            views = [store.get_feature_view(view)[names] for view, names in fields.items()]
        except (FeatureViewNotFoundException, KeyError, ValueError) as error:
            log.warning("feature service of a model not kept: its fields are gone", service=name, error=repr(error))
            continue
        store.apply(FeatureService(name=name, features=views, tags=tags, description=description))


def _published(settings: Settings, objects: ObjectStore) -> list[FeatureManifest]:
    try:
        return [load_manifest(settings, objects)]
    except NotFoundError:
        return []


def _register_layouts(settings: Settings, manifests: Iterable[FeatureManifest]) -> None:
    with connect_redis(settings) as client, client.pipeline(transaction=False) as pipeline:
        for manifest in manifests:
            for view in manifest.views:
                append_layout(pipeline, view.schema)
        pipeline.execute()


def compile_manifest(store: Any, service_name: str) -> FeatureManifest:
    """The manifest of a FeatureService in the registry, with views in the service's order."""
    return _manifest(store.get_feature_service(service_name), store.get_feature_view, store.project)


def declared_manifests(settings: Settings) -> dict[str, FeatureManifest]:
    """The manifest of each FeatureService that applying the repo would make; needs no running system.

    Raises:
        InvalidError: the repo cannot be read; the message says where and why.
    """
    with _declared(settings) as (project, contents):
        views = {view.name: view for view in contents.feature_views}
        return {service.name: _manifest(service, views.__getitem__, project) for service in contents.feature_services}


def declared_catalog(settings: Settings) -> list[CatalogView]:
    """The catalog that applying the repo would make; needs no running system.

    Raises:
        InvalidError: the repo cannot be read; the message says where and why.
    """
    with _declared(settings) as (_, contents):
        return catalog(contents.feature_views, contents.feature_services)


@contextlib.contextmanager
def _declared(settings: Settings) -> Iterator[tuple[str, Any]]:
    """The project's name and what the repo declares, with the types of join keys as the registry infers them."""
    os.environ.update(feast_environment(settings))
    from feast.inference import update_feature_views_with_inferred_features_and_entities

    repo = settings.feature_repo.absolute()
    try:
        with _inside(repo):
            config, contents = _parse(repo)
            # all is declared, so no source is read
            update_feature_views_with_inferred_features_and_entities(
                None, contents.feature_views, contents.entities, config
            )
            yield config.project, contents
    except Exception as error:
        raise InvalidError(f"the feature repo cannot be read: {_cause(error, repo)}", code="feature_repo") from error


@contextlib.contextmanager
def _inside(repo: Path) -> Iterator[io.StringIO]:
    """Run in the repo's folder, with it in sys.path as Feast's bare imports need, and capture what Feast prints."""
    printed = io.StringIO()
    sys.path.insert(0, str(repo))
    try:
        with contextlib.chdir(repo), contextlib.redirect_stdout(printed):
            yield printed
    finally:
        sys.path.remove(str(repo))


def _parse(repo: Path) -> Any:
    from feast.repo_config import load_repo_config
    from feast.repo_operations import parse_repo

    return load_repo_config(repo, repo / "feature_store.yaml"), parse_repo(repo)


def _cause(error: Exception, repo: Path) -> str:
    """One line: the file and line of the repo that raised, if one did, and the error."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(repo)]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}: " if frames else ""
    return f"{where}{type(error).__name__}: {' '.join(str(error).split())}"


def _manifest(service: Any, view_named: Callable[[str], Any], project: str) -> FeatureManifest:
    from photofeed.online_store.feast_schema import row_schema

    views = []
    for projection in service.feature_view_projections:
        view = view_named(projection.name)
        counts = {field.name: field.tags[COUNTS_TAG] for field in view.features if COUNTS_TAG in field.tags}
        half_lives = {
            field.name: parse_counter(field.name, field.tags).half_life_seconds
            for field in view.features
            if field.name in counts
        }
        views.append(ManifestView(row_schema(view, project), half_lives, counts))
    return FeatureManifest(service.name, tuple(views))


def load_counter_views(store: Any) -> list[CounterView]:
    """The views of the registry that consist of decayed counters."""
    return [
        counter_view(view.name, view.join_keys, [(field.name, field.tags) for field in view.features])
        for view in sorted(store.list_feature_views(), key=lambda view: str(view.name))
        if any(field.name == AS_OF_FIELD for field in view.features)
    ]


def load_manifest(settings: Settings, objects: ObjectStore) -> FeatureManifest:
    """The published manifest of the served feature service.

    Raises:
        NotFoundError: the feature repo was never applied.
    """
    try:
        return FeatureManifest.from_json(objects.get(settings.bucket_lake, _manifest_key(settings.feature_service)))
    except NotFoundError as error:
        raise NotFoundError(f"no manifest of {settings.feature_service!r}: run `photofeed setup` first") from error


def _manifest_key(service: str) -> str:
    return f"manifests/{service}.json"
