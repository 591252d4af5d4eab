"""The Feast FeatureService of a registered version: the stored fields that its program reads."""

from typing import Any

from photofeed.feature_store import MODEL_TAG
from photofeed.features.program import FeatureProgram
from training.data.sources import Sources


def keep_feature_service(sources: Sources, model_name: str, program: FeatureProgram) -> str:
    """Apply the FeatureService of a program's stored fields, unless it is there; returns its name.

    Versions of one program share it. `photofeed setup` keeps it, because its tag says that models name it.
    """
    from feast import FeatureService
    from feast.errors import FeatureServiceNotFoundException

    store: Any = sources.features
    name = f"{model_name}_{program.hash}"
    try:
        store.get_feature_service(name)
    except FeatureServiceNotFoundException:
        fields: dict[str, list[str]] = {}
        for column in program.reads:
            view, _, field = column.partition("__")
            fields.setdefault(view, []).append(field)
        service = FeatureService(
            name=name,
            features=[store.get_feature_view(view)[names] for view, names in fields.items()],
            tags={MODEL_TAG: model_name},
            description=f"The stored fields of versions of {model_name} with {len(program)} features",
        )
        store.apply(service)
    return name
