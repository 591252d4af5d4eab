"""Feast stores with a local registry, for benchmarks."""

from pathlib import Path
from typing import Any

from feast import FeatureStore, RepoConfig


def open_feature_store(
    project: str, registry: Path, *, online: dict[str, Any] | None = None, offline: dict[str, Any] | None = None
) -> FeatureStore:
    """A Feast store of `project` with its registry in a file. The offline store is Dask's by default."""
    return FeatureStore(
        config=RepoConfig(
            project=project,
            provider="local",
            registry=str(registry),
            online_store=online,
            offline_store=offline or {"type": "dask"},
            entity_key_serialization_version=3,
        )
    )
