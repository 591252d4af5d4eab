"""The errors of the scorer, one hierarchy.

ScorerError               base: nothing was scored
├── ModelTextError        the text is not a whole LightGBM model
├── UnsupportedModelError a sound model that the engine does not cover; the message says why
├── TablesError           a table file that is damaged, of another format, or of another model
└── ScorerMismatchError   an engine disagrees with Booster.predict
"""


class ScorerError(Exception):
    """Base of every error the scorer raises on purpose, except ValueError for a matrix of the wrong kind."""


class ModelTextError(ScorerError):
    """The text is not a whole, consistent LightGBM model."""


class UnsupportedModelError(ScorerError):
    """A sound model that the engine does not cover."""


class TablesError(ScorerError):
    """A table file that is damaged, of another format, or built from another model."""


class ScorerMismatchError(ScorerError):
    """A scorer's answer differs from the reference; `row` is the first row that does."""

    def __init__(self, row: int, expected: float, got: float) -> None:
        super().__init__(f"row {row} scores {got!r}, Booster.predict says {expected!r}")
        self.row = row
        self.expected = expected
        self.got = got
