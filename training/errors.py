"""The errors of training, one hierarchy.

PhotofeedError
├── InvalidError
│   ├── EmptyWindowError   no slate started in the window
│   ├── TooFewSlatesError  slates, but not enough to train, validate and test on
│   ├── OneClassError      nobody did anything, or everybody did the same: there is nothing to learn
│   ├── FeaturesError      the feature store's answer is not what the manifest declares, or no measurement
│   └── LeakError          a feature knows the label
└── ConflictError
    ├── RefusedError       a version failed its gates
    ├── ChampionMovedError the champion is not the one that a version was compared with
    ├── NoPreviousError    there is nothing to roll back to
    └── DriftError         what is served no longer looks like what the champion learned from
"""

from photofeed.errors import ConflictError, InvalidError


class EmptyWindowError(InvalidError):
    """No slate started in the window."""

    code = "empty_window"


class TooFewSlatesError(InvalidError):
    """Not enough slates to train, validate and test on."""

    code = "too_few_slates"


class OneClassError(InvalidError):
    """All labels are the same: there is nothing to learn."""

    code = "one_class"


class FeaturesError(InvalidError):
    """The feature store's answer is not what the manifest declares, or a value is no measurement."""

    code = "features"


class LeakError(InvalidError):
    """A feature knows the label: it would be perfect here and useless in service."""

    code = "leaking_features"


class RefusedError(ConflictError):
    """A version failed its gates."""

    code = "refused_by_gates"


class ChampionMovedError(ConflictError):
    """The champion is not the one that a version was compared with."""

    code = "champion_moved"


class NoPreviousError(ConflictError):
    """There is nothing to roll back to."""

    code = "no_previous"


class DriftError(ConflictError):
    """What is served no longer looks like what the champion learned from."""

    code = "drift"
