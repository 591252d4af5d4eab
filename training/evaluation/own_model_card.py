"""The card of a model that was trained elsewhere: its engine, its features, and its metrics on unseen slates."""

from photofeed.features.declarations import RankingFeature
from photofeed.models.contract import ModelContract
from training.evaluation.evaluate import MODEL, OVERALL, Evaluation
from training.evaluation.model_card import LIMITS, bounds

NOT_EVALUATED = "Not evaluated at its registration: `photofeed evaluate` and `photofeed promote` do so on newer slates."


def own_model_card(contract: ModelContract, evaluation: Evaluation | None, description: str) -> str:
    """The card in Markdown. Bounds in brackets are 95 % intervals over users."""
    outputs = "; ".join(f"`{name}` by {', '.join(map(str, weights))}" for name, weights in contract.outputs)
    lines = ["# Feed ranker", description or "A model that was trained elsewhere.", ""]
    lines += [f"Engine {contract.engine}, sha256 `{contract.model_sha256[:16]}`."]
    lines += [f"The score is the sum of the outputs {outputs}."] if outputs else []
    lines += ["", "## Metrics on the test part"]
    if evaluation is None:
        lines.append(NOT_EVALUATED)
    else:
        overall = [one for one in evaluation.measurements if (one.ranker, one.segment) == (MODEL, OVERALL)]
        lines += ["| metric | value |", "| --- | --- |"]
        lines += [f"| {one.metric} | {bounds(one.interval)} |" for one in overall]
    lines += ["", "## Limits", LIMITS, "## Features, in the order of the model's input"]
    lines += ["| feature | declared as | range in training |", "| --- | --- | --- |"]
    ranges = contract.profile.ranges if contract.profile else ()
    for feature, both in zip(contract.features or (), ranges, strict=True):
        span = "no value" if both is None else f"{both[0]:g} to {both[1]:g}"
        lines.append(f"| `{feature.name}` | {_declared(feature)} | {span} |")
    return "\n".join([*lines, ""])


def _declared(feature: RankingFeature) -> str:
    of = {name: value for name, value in feature.to_plain()["of"].items() if name != "kind"}
    parameters = ", ".join(f"{name} {value}" for name, value in of.items())
    return f"{feature.to_plain()['of']['kind']}: {parameters}"
