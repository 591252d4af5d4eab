"""The time from which on slates are new to a model."""

from datetime import datetime

from photofeed.models.contract import ModelContract


def unseen_from(contract: ModelContract) -> datetime:
    """The time from which on a model has seen no slates. Old contracts state only the end of its training window."""
    return contract.unseen_from or contract.trained_until
