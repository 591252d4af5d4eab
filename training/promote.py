"""Moving `champion`: forward through the gates, back in one step."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from photofeed.feature_store import load_manifest
from photofeed.model_contract import CHAMPION, PREVIOUS, ModelRegistry
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings
from training.errors import NoPreviousError
from training.gates import Candidate, Finding, check_gates
from training.tracking import mlflow_client


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of asking for a promotion. `moved` tells whether the version is champion now."""

    version: str
    former: str | None
    findings: Sequence[Finding]
    moved: bool
    forced: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every gate was passed."""
        return all(finding.passed for finding in self.findings)


def promote(settings: Settings, version: str, *, force: str | None = None) -> Promotion:
    """Make `version` (a number or an alias) the champion if it passes all gates, or for the reason `force` gives.

    The report is kept with the run and in the version's tags; the former champion becomes `previous`.

    Raises:
        NotFoundError: no such version, or the feature repo was never applied.
        RetryableError: MLflow or object storage does not answer.
    """
    with mlflow_client(settings) as client, ModelRegistry.connect(settings) as registry:
        bundle = registry.fetch(version, settings.state_dir / "models")
        run = client.get_run(bundle.contract.run_id)
        served = load_manifest(settings, S3ObjectStore.connect(settings))
        findings = check_gates(Candidate(bundle, run.data.metrics, served))
        former = registry.current_version(CHAMPION)
        promotion = Promotion(bundle.version, former, findings, all(f.passed for f in findings) or bool(force), force)
        _record(client, settings.model_name, bundle.contract.run_id, promotion)
        if promotion.moved:
            _move_champion(client, settings.model_name, former, bundle.version)
    return promotion


def roll_back(settings: Settings) -> tuple[str, str]:
    """Swap `champion` and `previous`, so that a second rollback takes the first back.

    Returns the version that was champion and the one that is.

    Raises:
        NoPreviousError: nothing was promoted before the champion.
        RetryableError: MLflow does not answer.
    """
    with mlflow_client(settings) as client, ModelRegistry.connect(settings) as registry:
        champion, previous = registry.current_version(CHAMPION), registry.current_version(PREVIOUS)
        if champion is None or previous is None:
            raise NoPreviousError(f"{settings.model_name} has no {PREVIOUS} version to roll back to")
        _move_champion(client, settings.model_name, champion, previous)
    return champion, previous


def _move_champion(client: Any, name: str, former: str | None, version: str) -> None:
    """`champion` moves last: a failure between the two leaves the former champion where it was."""
    if former is not None and former != version:
        client.set_registered_model_alias(name, PREVIOUS, former)
    client.set_registered_model_alias(name, CHAMPION, version)


def _record(client: Any, name: str, run_id: str, promotion: Promotion) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    client.log_dict(run_id, {"at": now, **asdict(promotion)}, f"promotions/{now}.json")
    failed = ", ".join(finding.gate for finding in promotion.findings if not finding.passed)
    client.set_model_version_tag(name, promotion.version, "gates", f"failed: {failed}" if failed else "passed")
    if promotion.forced:
        client.set_model_version_tag(name, promotion.version, "forced", f"{now} {promotion.forced}")
