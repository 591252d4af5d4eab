"""Replaceable parts that settings name as `module:name`, as Python's entry points do."""

from importlib import import_module
from typing import Any

from photofeed.errors import InvalidError


def load_plugin(setting: str, path: str) -> Any:
    """The object that the setting called `setting` names.

    Raises:
        InvalidError: there is no such object; the message names the setting.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidError(f"{setting}={path}: not module:name of an object that can be imported: {error}") from error
