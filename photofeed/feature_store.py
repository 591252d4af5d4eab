"""Feast, opened on our systems: the registry, applying the repo, and the manifests serving reads instead of Feast."""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog

from photofeed.errors import InvalidError, NotFoundError
from photofeed.features.counters import AS_OF_FIELD, COUNTS_TAG, CounterView, counter_view, parse_counter
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.object_store import ObjectStore
from photofeed.offline_store.tables import MIRROR
from photofeed.settings import Settings

log = structlog.get_logger(__name__)


def feast_environment(settings: Settings) -> dict[str, str]:
    """The variables that feature_repo/feature_store.yaml and its sources are written with."""
    offline_store = "SparkLakeOfflineStore" if settings.spark_master else "LakeOfflineStore"
    return {
        "PHOTOFEED_FEAST_OFFLINE_STORE": f"photofeed.offline_store.{offline_store}",
        "PHOTOFEED_FEAST_SPARK_MASTER": settings.spark_master,
        "PHOTOFEED_FEAST_REGISTRY_URL": settings.sqlalchemy_url,
        "PHOTOFEED_FEAST_REDIS_URL": settings.redis_url.get_secret_value(),
        "PHOTOFEED_FEAST_S3_ENDPOINT_URL": settings.s3_endpoint_url,
        "PHOTOFEED_FEAST_S3_ACCESS_KEY": settings.s3_access_key,
        "PHOTOFEED_FEAST_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "PHOTOFEED_FEAST_S3_REGION": settings.s3_region,
        "PHOTOFEED_FEAST_BUCKET": settings.bucket_lake,
        "PHOTOFEED_FEAST_CACHE_DIR": str((settings.state_dir / MIRROR).absolute()),
        "PHOTOFEED_FEAST_DUCKDB_MEMORY_MB": str(settings.duckdb_memory_mb),
        # pyarrow reads the sources' schemas by itself, with the usual variables
        "AWS_ACCESS_KEY_ID": settings.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": settings.s3_secret_key.get_secret_value(),
        "AWS_DEFAULT_REGION": settings.s3_region,
        "FEAST_USAGE": "False",
    }


def open_feature_store(settings: Settings) -> Any:
    """A `feast.FeatureStore` on the settings' systems. Importing Feast takes seconds: only where it is needed."""
    os.environ.update(feast_environment(settings))
    from feast import FeatureStore  # noqa: PLC0415

    return FeatureStore(repo_path=str(settings.feature_repo.absolute()))


def close_feature_store(store: Any) -> None:
    """Close what Feast itself leaves open: its registry's connections."""
    for engine in (store.registry.write_engine, store.registry.read_engine):
        engine.dispose()


def apply_feature_repo(settings: Settings, objects: ObjectStore) -> FeatureManifest:
    """Apply feature_repo/ to the registry and publish the manifest of the service that is served."""
    os.environ.update(feast_environment(settings))
    from feast import FeatureStore  # noqa: PLC0415
    from feast.repo_operations import apply_total  # noqa: PLC0415

    from photofeed.offline_store import LakeOfflineStore  # noqa: PLC0415

    repo = settings.feature_repo.absolute()
    with _inside(repo) as said:
        config, contents = _parse(repo)
        for view in contents.feature_views:
            LakeOfflineStore.ensure_source(config, view, contents.entities)
        apply_total(config, repo, skip_source_validation=False)
    log.info("feature repo applied", said=said.getvalue().split("\n"))
    manifest = compile_manifest(FeatureStore(config=config), settings.feature_service)
    objects.put(settings.bucket_lake, _manifest_key(manifest.service), manifest.to_json(), "application/json")
    return manifest


def compile_manifest(store: Any, service_name: str) -> FeatureManifest:
    """The manifest of a FeatureService in the registry, views in the service's order."""
    return _manifest(store.get_feature_service(service_name), store.get_feature_view, store.project)


def declared_manifests(settings: Settings) -> dict[str, FeatureManifest]:
    """The manifest of each FeatureService as applying the repo would make it; no system is asked.

    Raises:
        InvalidError: the repo cannot be read; the message says where and why.
    """
    os.environ.update(feast_environment(settings))
    from feast.inference import update_feature_views_with_inferred_features_and_entities  # noqa: PLC0415

    repo = settings.feature_repo.absolute()
    try:
        with _inside(repo):
            config, contents = _parse(repo)
            # the registry's way to the types of join keys; all is declared, so no source is looked at
            update_feature_views_with_inferred_features_and_entities(
                None, contents.feature_views, contents.entities, config
            )
            views = {view.name: view for view in contents.feature_views}
            return {
                service.name: _manifest(service, views.__getitem__, config.project)
                for service in contents.feature_services
            }
    except Exception as error:
        raise InvalidError(f"the feature repo cannot be read: {_cause(error, repo)}", code="feature_repo") from error


@contextlib.contextmanager
def _inside(repo: Path) -> Iterator[io.StringIO]:
    """Feast imports the repo's files by bare names and prints what it does."""
    said = io.StringIO()
    sys.path.insert(0, str(repo))
    try:
        with contextlib.chdir(repo), contextlib.redirect_stdout(said):
            yield said
    finally:
        sys.path.remove(str(repo))


def _parse(repo: Path) -> Any:
    from feast.repo_config import load_repo_config  # noqa: PLC0415
    from feast.repo_operations import parse_repo  # noqa: PLC0415

    return load_repo_config(repo, repo / "feature_store.yaml"), parse_repo(repo)


def _cause(error: Exception, repo: Path) -> str:
    """One line: the repo's line that raised, where it was one of its own, and what."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(repo)]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}: " if frames else ""
    return f"{where}{type(error).__name__}: {' '.join(str(error).split())}"


def _manifest(service: Any, view_named: Callable[[str], Any], project: str) -> FeatureManifest:
    from photofeed.online_store.feast_schema import row_schema  # noqa: PLC0415  imports Feast

    views = []
    for projection in service.feature_view_projections:
        view = view_named(projection.name)
        half_lives = {
            field.name: parse_counter(field.name, field.tags).half_life_seconds
            for field in view.features
            if COUNTS_TAG in field.tags
        }
        views.append(ManifestView(row_schema(view, project), half_lives))
    return FeatureManifest(service.name, tuple(views))


def load_counter_views(store: Any) -> list[CounterView]:
    """Every view of the registry that is made of decayed counters."""
    return [
        counter_view(view.name, view.join_keys, [(field.name, field.tags) for field in view.features])
        for view in sorted(store.list_feature_views(), key=lambda view: str(view.name))
        if any(field.name == AS_OF_FIELD for field in view.features)
    ]


def load_manifest(settings: Settings, objects: ObjectStore) -> FeatureManifest:
    """The published manifest of the service that is served.

    Raises:
        NotFoundError: the feature repo was never applied here.
    """
    try:
        return FeatureManifest.from_json(objects.get(settings.bucket_lake, _manifest_key(settings.feature_service)))
    except NotFoundError as error:
        raise NotFoundError(f"no manifest of {settings.feature_service!r}: run `photofeed setup` first") from error


def _manifest_key(service: str) -> str:
    return f"manifests/{service}.json"
