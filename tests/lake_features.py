"""Feast stores on the stack's Valkey and lake, for tests of feature history."""

from pathlib import Path

from feast import Entity, FeatureView, Field, FileSource, PushSource, RepoConfig

from photofeed.settings import Settings


def lake_store_config(settings: Settings, project: str, scratch: Path) -> RepoConfig:
    """A Feast configuration with photofeed's online and offline stores. Registry and mirror are in `scratch`."""
    return RepoConfig(
        project=project,
        provider="local",
        registry=str(scratch / "registry.db"),
        online_store={
            "type": "photofeed.online_store.store.PackedRedisOnlineStore",
            "redis_url": settings.redis_url.get_secret_value(),
        },
        offline_store={
            "type": "photofeed.offline_store.LakeOfflineStore",
            "endpoint_url": settings.s3_endpoint_url,
            "access_key": settings.s3_access_key,
            "secret_key": settings.s3_secret_key.get_secret_value(),
            "region": settings.s3_region,
            "cache_dir": str(scratch / "mirror"),
        },
        entity_key_serialization_version=3,
    )


def pushed_view(name: str, path: str, entities: list[Entity], *fields: Field) -> FeatureView:
    """A view whose rows are pushed. Its history is in the lake at `path`, an s3:// URL."""
    source = FileSource(
        name=f"{name}_history", path=path, timestamp_field="event_timestamp", created_timestamp_column="created"
    )
    return FeatureView(
        name=name,
        entities=entities,
        ttl=None,
        schema=list(fields),
        source=PushSource(name=name, batch_source=source),
    )
