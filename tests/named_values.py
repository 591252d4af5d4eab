"""Values of modules by name, for tables of the limits that others rely on."""

from collections.abc import Iterable
from importlib import import_module


def values_of(module: str, names: Iterable[str]) -> dict[str, object]:
    """The values that a module has under these names.

    Raises:
        KeyError: it lacks one of them.
    """
    found = vars(import_module(module))
    return {name: found[name] for name in names}
