"""The errors of the scorer, one hierarchy.

PhotofeedError
└── ScorerError               base: nothing was scored
    ├── ModelTextError        the text is not a whole LightGBM model
    ├── UnsupportedModelError a sound model the engine does not cover; the message says why
    ├── TablesError           a table file that is damaged, of another format, or of another model
    └── ScorerMismatchError   an engine disagreed with Booster.predict
"""

from photofeed.errors import PhotofeedError


class ScorerError(PhotofeedError):
    """Base of every error the scorer raises on purpose, wrong matrices (ValueError) aside."""

    code = "scorer"


class ModelTextError(ScorerError):
    """The text is not a whole, consistent LightGBM model."""

    code = "model_text"


class UnsupportedModelError(ScorerError):
    """A sound model that the engine does not cover."""

    code = "model_unsupported"


class TablesError(ScorerError):
    """A table file that is damaged, of another format, or built from another model."""

    code = "scoring_tables"


class ScorerMismatchError(ScorerError):
    """A scorer's answer differs from the reference; `row` is the first row that does."""

    code = "scorer_mismatch"

    def __init__(self, row: int, expected: float, got: float) -> None:
        super().__init__(f"row {row} scores {got!r}, Booster.predict says {expected!r}")
        self.row = row
        self.expected = expected
        self.got = got
