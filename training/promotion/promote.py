"""Promotion through the gates. One at a time; each one is recorded (`photofeed.models.alias_moves`)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from photofeed.models.alias_moves import locked_aliases
from photofeed.models.registry import FORCED, GATES, GATES_AT, GATES_BESIDE, report_path
from photofeed.settings import Settings
from training.data.sources import Sources
from training.promotion import gate_report
from training.promotion.evidence import gather_evidence
from training.promotion.gate_file import load_gates
from training.promotion.result import Promotion
from training.registry.description import with_verdict
from training.registry.tracking import mlflow_client

PASSED = "passed the gates"


def promote(
    settings: Settings,
    version: str,
    *,
    force: str | None = None,
    now: datetime | None = None,
    why: str = PASSED,
    move_alias: bool = True,
) -> Promotion:
    """Make `version` (a number or an alias) the champion if it passes all gates, or for the reason in `force`.

    The gates evaluate the version and the current champion again, as of `now`. The report is stored with the run and in
    the tags of the version. The former champion becomes `previous`. With `move_alias=False` the gates are checked and
    no alias moves.

    Raises:
        InvalidError: the gates file is invalid.
        NotFoundError: no such version, or the feature repo was never applied.
        DamagedModelError: the files of the version differ from those that were registered; `force` does not help.
        BusyError: another promotion or rollback of the model is running.
        ChampionMovedError: the champion changed during the evaluation.
        RetryableError: MLflow or object storage does not answer; the champion has not changed.
    """
    gates = load_gates(settings.gates_file)
    with (
        locked_aliases(settings) as aliases,
        mlflow_client(settings) as client,
        Sources.open(settings) as sources,
    ):
        evidence = gather_evidence(
            settings,
            sources,
            aliases.registry,
            version,
            now or datetime.now(UTC),
            longest_days=gates.evaluation_window.longest_days,
            skew_rows=gates.skew_rows,
        )
        promotion = Promotion(
            version=evidence.bundle.version,
            former=evidence.champion,
            findings=gates.check(evidence),
            evidence=evidence,
            actor=aliases.actor,
            forced=force if move_alias else None,
        )
        _record(client, settings.model_name, promotion)
        if not (move_alias and promotion.accepted):
            return promotion
        aliases.move_champion(evidence.champion, promotion.version, why if promotion.passed else f"forced: {force}")
    return replace(promotion, moved=True)


def _record(client: Any, name: str, promotion: Promotion) -> None:
    """Store the report with the run, and the outcome in the tags and the description of the version."""
    run_id, at = promotion.evidence.bundle.contract.run_id, promotion.evidence.now.isoformat(timespec="seconds")
    client.log_dict(run_id, gate_report.as_json(promotion), report_path(at))
    client.log_text(run_id, gate_report.as_markdown(promotion), report_path(at, "md"))
    outcome = "passed" if promotion.passed else f"failed: {', '.join(promotion.failed)}"
    tags = {GATES: outcome, GATES_AT: at, GATES_BESIDE: promotion.former or "no champion"}
    if promotion.forced:
        tags[FORCED] = f"{at} {promotion.actor}: {promotion.forced}"
    for key, value in tags.items():
        client.set_model_version_tag(name, promotion.version, key, value)
    version = client.get_model_version(name, promotion.version)
    experiment = client.get_run(run_id).info.experiment_id
    page = f"#/experiments/{experiment}/runs/{run_id}/artifacts/{report_path(at, 'md')}"
    reasons = "; ".join(f"{one.gate}: {one.detail}" for one in promotion.findings if not one.passed)
    verdict = f"failed: {reasons}" if reasons else "passed"
    verdict += f", on {promotion.evidence.now:%Y-%m-%d %H:%M} UTC beside {tags[GATES_BESIDE]}"
    verdict += f"; forced: {promotion.forced}" if promotion.forced and not promotion.passed else ""
    described = with_verdict(version.description or "", f"{verdict} ([report]({page})).")
    client.update_model_version(name, promotion.version, described)
