"""The manifest that the repository promises to serve."""

from pathlib import Path

from photofeed.features.manifest import FeatureManifest

SERVED = FeatureManifest.from_json(
    (Path(__file__).parents[1] / "feature_repo" / "served" / "feed_ranker_v1.json").read_bytes()
)


def served_manifest(service: str) -> FeatureManifest:
    """What is promised, under the name of another service."""
    return FeatureManifest(service, SERVED.views)
