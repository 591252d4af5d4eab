"""Feast's online store in photofeed: the packed store, which also takes ids of the API as keys of entities."""

from collections.abc import Mapping, Sequence
from typing import Any

from feast import RepoConfig, ValueType
from feast.infra.registry.base_registry import BaseRegistry
from feast.online_response import OnlineResponse
from pydantic import StrictStr

from photofeed.entity_keys import integer_key
from photofeed.online_store.store import PackedRedisOnlineStore, PackedRedisOnlineStoreConfig

EntityRows = Sequence[Mapping[str, Any]] | Mapping[str, Any]


class PhotofeedOnlineStoreConfig(PackedRedisOnlineStoreConfig):
    """Options of the store in feature_store.yaml: those of the packed store."""

    type: StrictStr = "photofeed.feast_online_store.PhotofeedOnlineStore"


class PhotofeedOnlineStore(PackedRedisOnlineStore):
    """Reads features by integers and by ids of the API.

    Raises:
        InvalidError: a key of an integer entity is a text that is neither.
    """

    def get_online_features(
        self,
        config: RepoConfig,
        features: Any,
        entity_rows: EntityRows,
        registry: BaseRegistry,
        project: str,
        **options: Any,
    ) -> OnlineResponse:
        """As Feast's; see the class."""
        rows = _with_integers(entity_rows, registry, project)
        return super().get_online_features(config, features, rows, registry, project, **options)

    async def get_online_features_async(
        self,
        config: RepoConfig,
        features: Any,
        entity_rows: EntityRows,
        registry: BaseRegistry,
        project: str,
        **options: Any,
    ) -> OnlineResponse:
        """As Feast's; see the class."""
        rows = _with_integers(entity_rows, registry, project)
        return await super().get_online_features_async(config, features, rows, registry, project, **options)


def _with_integers(entity_rows: EntityRows, registry: BaseRegistry, project: str) -> EntityRows:
    """The rows, a list of dicts or columns by name, with integers in place of the texts among integer keys."""
    entities = registry.list_entities(project, allow_cache=True)
    keys = {entity.join_key for entity in entities if entity.value_type == ValueType.INT64}

    def value(name: str, given: Any) -> Any:
        return integer_key(name, given) if name in keys and isinstance(given, str) else given

    if isinstance(entity_rows, Mapping):
        return {
            name: [value(name, one) for one in column] if isinstance(column, Sequence) else column
            for name, column in entity_rows.items()
        }
    return [{name: value(name, one) for name, one in row.items()} for row in entity_rows]
