"""The list of registered versions, for the command line and notebooks."""

from dataclasses import dataclass
from datetime import UTC, datetime

from photofeed.settings import Settings
from training.registry.tracking import TEST, mlflow_client


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of the registered model. `gates` is empty if its gates were never checked."""

    version: str
    aliases: tuple[str, ...]
    registered_at: datetime
    run_id: str
    feature_service: str
    gates: str
    ndcg_10: float | None


def list_versions(settings: Settings) -> list[RegisteredVersion]:
    """Every version, newest first. Empty if nothing was ever registered.

    Raises:
        RetryableError: MLflow does not answer.
    """
    with mlflow_client(settings) as client:
        found = client.search_model_versions(f"name = '{settings.model_name}'")
        # the search for versions does not return aliases
        aliases: dict[str, list[str]] = {}
        for model in client.search_registered_models(f"name = '{settings.model_name}'"):
            for alias, version in model.aliases.items():
                aliases.setdefault(str(version), []).append(alias)
        return [
            RegisteredVersion(
                version=str(version.version),
                aliases=tuple(sorted(aliases.get(str(version.version), ()))),
                registered_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
                run_id=version.run_id,
                feature_service=version.tags.get("feature_service", ""),
                gates=version.tags.get("gates", ""),
                ndcg_10=client.get_run(version.run_id).data.metrics.get(f"{TEST}_ndcg_10") if version.run_id else None,
            )
            for version in sorted(found, key=lambda version: -int(version.version))
        ]
