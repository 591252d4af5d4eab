"""The error hierarchy of training.

PhotofeedError
├── InvalidError
│   ├── EmptyWindowError   no slate started in the window
│   ├── TooFewSlatesError  too few slates for training, validation and test
│   ├── OneClassError      all labels are equal
│   ├── FeaturesError      features do not match the manifest, or are not finite
│   └── LeakError          a feature reveals the label
└── ConflictError
    ├── RefusedError       a version failed its gates
    └── DriftError         served features have drifted from the champion's training set
"""

from photofeed.errors import ConflictError, InvalidError


class EmptyWindowError(InvalidError):
    """No slate started in the window."""

    code = "empty_window"


class TooFewSlatesError(InvalidError):
    """Too few slates for training, validation and test."""

    code = "too_few_slates"


class OneClassError(InvalidError):
    """All labels are equal: there is nothing to learn."""

    code = "one_class"


class FeaturesError(InvalidError):
    """Features do not match the manifest, or a value is infinite."""

    code = "features"


class LeakError(InvalidError):
    """A feature reveals the label: it would be perfect in training and useless in service."""

    code = "leaking_features"


class RefusedError(ConflictError):
    """A version failed its gates."""

    code = "refused_by_gates"


class DriftError(ConflictError):
    """Served features have drifted from the training set of the champion."""

    code = "drift"
