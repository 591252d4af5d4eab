"""Scores LightGBM models exactly as LightGBM does, tens of times faster."""

from photofeed.models.scorer.build import build_tables
from photofeed.models.scorer.errors import (
    ModelTextError,
    ScorerError,
    ScorerMismatchError,
    TablesError,
    UnsupportedModelError,
)
from photofeed.models.scorer.scorer import BitslicedScorer, BoosterScorer, Scorer, make_scorer
from photofeed.models.scorer.tables import ScoringTables
from photofeed.models.scorer.verify import verify_exact

__all__ = [
    "BitslicedScorer",
    "BoosterScorer",
    "ModelTextError",
    "Scorer",
    "ScorerError",
    "ScorerMismatchError",
    "ScoringTables",
    "TablesError",
    "UnsupportedModelError",
    "build_tables",
    "make_scorer",
    "verify_exact",
]
