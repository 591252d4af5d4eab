"""LightGBM models scored exactly as LightGBM does, tens of times faster."""

from photofeed.scorer.build import build_tables
from photofeed.scorer.errors import (
    ModelTextError,
    ScorerError,
    ScorerMismatchError,
    TablesError,
    UnsupportedModelError,
)
from photofeed.scorer.scorer import BitslicedScorer, BoosterScorer, Scorer, make_scorer
from photofeed.scorer.tables import ScoringTables
from photofeed.scorer.verify import verify_exact

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
